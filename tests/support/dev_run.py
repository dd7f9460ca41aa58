"""Runs ``hourglass dev`` as a process, on free ports and a data directory of the test's own."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).parents[2]
FREE_PORTS = (
    "--executor-port=0",
    "--control-port=0",
    "--api-port=0",
    "--operator-metrics-port=0",
    "--executor-metrics-port=0",
)
READY_SECONDS = 60.0


@dataclass(frozen=True)
class DevRun:
    """One that is Ready: its process, and what ``dev.json`` says."""

    process: asyncio.subprocess.Process
    data_dir: Path
    addresses: dict[str, Any]

    def family(self) -> list[psutil.Process]:
        """Return the process and everything that it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


def command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "hourglass_cli.main", *arguments)


async def run(*arguments: str, cwd: Path = REPOSITORY, **environ: str) -> Done:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=cwd,
        env=os.environ | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Done(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


@asynccontextmanager
async def hourglass_dev(
    data_dir: Path, *flags: str, ports: tuple[str, ...] = FREE_PORTS
) -> AsyncIterator[DevRun]:
    """Start one and wait for its ``dev.json``; on the way out it is stopped, then killed."""
    output = data_dir.with_name(data_dir.name + ".out")
    (data_dir / "dev.json").unlink(missing_ok=True)  # of a run that was killed
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command("dev", f"--data-dir={data_dir}", *ports, *flags),
            cwd=data_dir.parent,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        found = data_dir / "dev.json"
        async with asyncio.timeout(READY_SECONDS):
            while not found.exists():
                assert process.returncode is None, output.read_text()
                await asyncio.sleep(0.05)
        yield DevRun(process, data_dir, json.loads(found.read_text()))
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()


async def gone(processes: Iterable[psutil.Process], within_seconds: float) -> list[str]:
    """Wait until none of ``processes`` runs; return those that still do after the time."""
    left = list(processes)
    try:
        async with asyncio.timeout(within_seconds):
            while left := [process for process in left if _alive(process)]:
                await asyncio.sleep(0.02)
    except TimeoutError:
        return [str(process) for process in left if _alive(process)]
    return []


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tool(name: str) -> str | None:
    """Return the path of kubectl or grpcurl: from KUBEBUILDER_ASSETS, else from PATH."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    return shutil.which(name, path=f"{assets}{os.pathsep}{os.environ.get('PATH', '')}")
