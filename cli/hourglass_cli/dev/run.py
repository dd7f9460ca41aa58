"""``hourglass dev``: claims, starts, waits until all is Ready, and ends everything again."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_devcluster.node_agent.orphans import end_orphans

from hourglass_cli.failures import first_of_ours

from .claims import claim_ports, data_directory
from .options import HOST, DevOptions, Layout, addresses
from .programs import DEMO_AVS, executor_config, programs
from .supervisor import Supervisor

STOP_GENTLY_SECONDS = 1.0
STOP_AT_MOST_SECONDS = 2.3


def run(options: DevOptions) -> int:
    """Run until Ctrl-C, SIGTERM or the death of a part; with ``ci`` until one task is checked.

    Returns 0, or raises HourglassError with the cause; with ``ci`` that is printed as JSON.
    """
    monotonic = SystemClock().monotonic
    started = monotonic()
    try:
        report = asyncio.run(_run(options, lambda: monotonic() - started))
    except Exception as error:
        found = first_of_ours(error)
        if not options.ci or found is None:
            raise
        seconds = round(monotonic() - started, 3)
        print(f"hourglass dev: {found}", file=sys.stderr)
        print(json.dumps({"ok": False, "seconds": seconds, "error": str(found)}), flush=True)
        return 1
    if report is not None:
        print(json.dumps(report), flush=True)
    return 0


async def _run(options: DevOptions, elapsed: Callable[[], float]) -> dict[str, Any] | None:
    told = _stop_signals()
    layout = Layout(root=options.data_dir.absolute())
    async with data_directory(layout, fresh=options.fresh) as lock:
        ports = claim_ports(options.ports)
        _write(layout.executor_config, yaml.safe_dump(executor_config(layout, ports)), 0o600)
        supervisor = Supervisor(SystemClock().monotonic, inherited=(lock,))
        try:
            round_ = _Round(replace(options, ports=ports), layout, supervisor, elapsed)
            ended = await first_of(told.wait(), round_.run())
            if isinstance(ended, dict):
                return ended
            if options.ci:
                raise HourglassError(Code.CANCELLED, "interrupted before the task was checked")
            return None
        finally:
            layout.addresses.unlink(missing_ok=True)
            await supervisor.stop(
                gently_seconds=STOP_GENTLY_SECONDS, at_most_seconds=STOP_AT_MOST_SECONDS
            )
            # Where the cluster was killed, what it ran is nobody's child any more.
            await asyncio.to_thread(end_orphans, layout.cluster / "pids")


@dataclass(frozen=True, slots=True)
class _Round:
    """One run between the claims and the end."""

    options: DevOptions
    layout: Layout
    supervisor: Supervisor
    elapsed: Callable[[], float]

    async def run(self) -> dict[str, Any]:
        """Return the report of ``--ci``; without it, return never. Raises if a part dies."""
        all_programs = programs(self.layout, self.options.ports)
        for program in all_programs:
            await self.supervisor.start(program)
        report: dict[str, Any] = await first_of(self.supervisor.watch(), self._use())
        return report

    async def _use(self) -> dict[str, Any]:
        await self._ready()
        found = addresses(self.layout, self.options.ports)
        seconds = self.elapsed()
        _write(self.layout.addresses, json.dumps(found, indent=2) + "\n", 0o644)
        if self.options.ci:
            from .ci import checked_task

            task = await checked_task(found["executor"])
            return {"ok": True, "seconds": round(self.elapsed(), 3), "task": task} | {
                "addresses": found
            }
        from .banner import show_banner

        show_banner(found, self.layout.logs, seconds)
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")

    async def _ready(self) -> None:
        """Return when all is Ready; DEADLINE_EXCEEDED names the part that is not."""
        # They need grpc, which is imported while the children start.
        from .readiness import performer_ready, performer_routable

        ports = self.options.ports
        waiting = "cluster"
        try:
            async with asyncio.timeout(self.options.ready_timeout):
                self.supervisor.go(waiting)
                await self.supervisor.ready(waiting)
                self.supervisor.go("operator")
                self.supervisor.go("executor")
                waiting = "operator"
                await self.supervisor.ready(waiting)
                waiting = "executor"
                await self.supervisor.ready(waiting)
                waiting = "demo performer"
                await performer_ready(f"{HOST}:{ports.control_port}", DEMO_AVS)
                await performer_routable(f"{HOST}:{ports.executor_port}", DEMO_AVS)
        except TimeoutError as exc:
            raise HourglassError(
                Code.DEADLINE_EXCEEDED,
                f"the {waiting} is not Ready after {self.options.ready_timeout:g} s",
                hint=f"see the logs in {self.layout.logs}, or wait longer with --ready-timeout",
            ) from exc


def _stop_signals() -> asyncio.Event:
    """Return an event that is set by Ctrl-C, by SIGTERM, and when the terminal goes away."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


class _FirstIsThere(Exception):
    """Ends the task group of ``first_of``."""


async def first_of(*coroutines: Coroutine[Any, Any, Any]) -> Any:
    """Return what the first of ``coroutines`` to end returns; the others are cancelled.

    Where one raises before any has returned, that is raised in an ExceptionGroup.
    """
    results: list[Any] = []

    async def one(coroutine: Coroutine[Any, Any, Any]) -> None:
        results.append(await coroutine)
        raise _FirstIsThere

    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(one(coroutine))
    except* _FirstIsThere:
        pass
    return results[0]


def _write(path: Path, text: str, mode: int) -> None:
    """Write a whole file at once: readers see the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode)
    fresh.write_text(text)
    fresh.replace(path)
