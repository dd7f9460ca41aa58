"""Performers as processes of this machine, each with a loopback port of its own in GRPC_PORT.

They run in process groups of their own and write to files, so that they survive a crash of the
executor and are taken over by the next one.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from .choose import without_cluster
from .deployment import Deployment, object_name
from .os_process import MARKER, OsProcess, find_again, start, trim
from .port import InstanceInfo, Listener

log = get_logger(__name__)

BUILT_IN: Mapping[str, Sequence[str]] = {
    "demo-performer": (sys.executable, "-m", "hourglass_cli.demo_performer"),
}
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
MAX_LOG_BYTES = 16 << 20
TRIM_EVERY_SECONDS = 1.0
STABLE_SECONDS = 10.0
"""A process that ran this long begins again with the shortest back-off."""


@dataclass(slots=True)
class _Running:
    deployment: Deployment
    command: Sequence[str]
    environment: Mapping[str, str]
    keepers: list[asyncio.Task[None]] = field(default_factory=list)
    processes: dict[int, OsProcess] = field(default_factory=dict)
    trouble: str = ""


class ProcessDeployer:
    """Implements ``Deployer``. Opt-in: it runs what the configuration names, as this user."""

    def __init__(
        self,
        listener: Listener,
        *,
        commands: Mapping[str, Sequence[str]],
        log_directory: Path,
        clock: Clock,
        rng: Random,
        stop_grace: float = 2.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._listener = listener
        self._commands = {**BUILT_IN, **commands}
        self._logs = log_directory
        self._clock = clock
        self._rng = rng
        self._stop_grace = stop_grace
        self._environ = os.environ if environ is None else environ
        self._backoff = Backoff(minimum=0.2, maximum=30.0)
        self._running: dict[str, _Running] = {}
        self._leaving: list[_Running] = []
        self._group: asyncio.TaskGroup | None = None
        self._trimmer: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._trimmer = self._group.create_task(self._trim_logs())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        group, self._group = self._group, None  # from now on nothing is started
        assert group is not None
        if self._trimmer is not None:
            self._trimmer.cancel()
        for running in self._running.values():
            for keeper in running.keepers:
                keeper.cancel()
        for running in (*self._running.values(), *self._leaving):
            for process in running.processes.values():
                process.leave()
        await group.__aexit__(kind, error, trace)

    async def deploy(self, deployment: Deployment, handle: str | None = None) -> None:
        if self._open_group() is None or deployment.performer_id in self._running:
            return
        running = _Running(deployment, self._command(deployment), self._environment(deployment))
        if handle is not None:
            await asyncio.to_thread(self._find_again, running, handle)
        group = self._open_group()  # it may have left while processes were looked for
        if group is None:
            return
        self._running[deployment.performer_id] = running
        for index in range(deployment.replicas):
            keeper = group.create_task(self._keep(running, index))
            running.keepers.append(keeper)

    async def remove(self, performer_id: str) -> None:
        running = self._running.pop(performer_id, None)
        if running is None:
            return
        self._leaving.append(running)  # until it has ended: a removal may be cut short
        await _cancelled(running.keepers)
        self._listener.endpoints_changed(performer_id, ())
        await self._end(running)

    def reason(self, performer_id: str) -> str:
        running = self._running.get(performer_id)
        return running.trouble if running else ""

    def instances(self, performer_id: str) -> tuple[InstanceInfo, ...]:
        running = self._running.get(performer_id)
        if running is None:
            return ()
        return tuple(
            InstanceInfo(resource=f"pid-{process.pid}", running=process.runs())
            for process in running.processes.values()
        )

    async def stop_all(self) -> None:
        self._closed = True
        async with asyncio.TaskGroup() as stopping:
            for running in tuple(self._leaving):
                stopping.create_task(self._end(running))
            for performer_id in tuple(self._running):
                stopping.create_task(self.remove(performer_id))

    async def _end(self, running: _Running) -> None:
        async with asyncio.TaskGroup() as stopping:
            for process in running.processes.values():
                stopping.create_task(process.stop(self._stop_grace))
        if running in self._leaving:
            self._leaving.remove(running)

    def _open_group(self) -> asyncio.TaskGroup | None:
        return None if self._closed else self._group

    def _command(self, deployment: Deployment) -> Sequence[str]:
        artifact = deployment.artifact
        for name in (artifact.image, artifact.registry):
            if name in self._commands:
                return self._commands[name]
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"no command is known for the image {artifact.image}",
            reason="COMMAND_UNKNOWN",
            hint=f"add it to processes.commands; known: {', '.join(sorted(self._commands))}",
        )

    def _environment(self, deployment: Deployment) -> dict[str, str]:
        """Return the declared variables, and the few without which no program finds anything."""
        inherited = {name: self._environ[name] for name in INHERITED if name in self._environ}
        return {**inherited, **without_cluster(deployment, self._environ)}

    def _find_again(self, running: _Running, handle: str) -> None:
        try:
            notes: dict[str, Any] = json.loads(handle) if handle else {}
        except ValueError:
            notes = {}
        for index in range(running.deployment.replicas):
            found = find_again(notes.get(str(index)), _instance_id(running.deployment, index))
            if found is not None:
                running.processes[index] = found

    async def _keep(self, running: _Running, index: int) -> None:
        """Keep one instance running until cancelled."""
        performer_id = running.deployment.performer_id
        attempt = 0
        while True:
            began = self._clock.monotonic()
            adopted = index in running.processes
            if not adopted:
                try:
                    running.processes[index] = self._start(running, index)
                except HourglassError as error:
                    running.trouble = str(error)
                    log.error("performer not started", performer_id=performer_id, error=str(error))
            if process := running.processes.get(index):
                log.info(
                    "performer adopted" if adopted else "performer started",
                    performer_id=performer_id,
                    pid=process.pid,
                    port=process.port,
                )
                self._publish(running)
                await process.exited()
                await process.stop(0.01)  # what it left of its group
                code = process.child.returncode if process.child else None
                running.trouble = f"instance {index} exited" + (
                    f" with status {code}" if code is not None else ""
                )
                log.warning("performer exited", performer_id=performer_id, pid=process.pid)
                del running.processes[index]
                self._publish(running)
            lasted = self._clock.monotonic() - began
            attempt = 1 if lasted >= STABLE_SECONDS else attempt + 1
            await asyncio.sleep(self._backoff.delay(attempt, self._rng.random()))

    def _start(self, running: _Running, index: int) -> OsProcess:
        port = _free_port()
        return start(
            running.command,
            {
                **running.environment,
                "GRPC_PORT": str(port),
                MARKER: _instance_id(running.deployment, index),
            },
            self._log(running.deployment, index),
            port,
        )

    def _publish(self, running: _Running) -> None:
        deployment = running.deployment
        handle = {str(index): process.as_json() for index, process in running.processes.items()}
        self._listener.handle_changed(deployment.performer_id, json.dumps(handle))
        self._listener.endpoints_changed(
            deployment.performer_id,
            tuple(
                Endpoint(
                    performer_id=deployment.performer_id,
                    revision=deployment.artifact.image,
                    instance=f"{_name(deployment)}-{index}-{process.pid}",
                    address=f"127.0.0.1:{process.port}",
                )
                for index, process in sorted(running.processes.items())
            ),
        )

    def _log(self, deployment: Deployment, index: int) -> Path:
        return self._logs / f"{_name(deployment)}-{index}.log"

    async def _trim_logs(self) -> None:
        while True:
            await asyncio.sleep(TRIM_EVERY_SECONDS)
            for running in tuple(self._running.values()):
                for index in running.processes:
                    trim(self._log(running.deployment, index), MAX_LOG_BYTES)


def _name(deployment: Deployment) -> str:
    return object_name(deployment.avs, deployment.performer_id)


def _instance_id(deployment: Deployment, index: int) -> str:
    return f"{deployment.performer_id}/{index}"


def _free_port() -> int:
    """Return a loopback port that is free now; a program that takes it first makes the performer
    exit, and then it is started again with another one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
