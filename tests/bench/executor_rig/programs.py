"""The processes of the bench: started, fed, and asked what they cost."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench.executor_rig.load import Load
from tests.support.executor_values import AGGREGATOR, AVS, configuration

ROOT = Path(__file__).resolve().parents[3]
RIG = "tests.bench.executor_rig"
IMAGE = "bench-performer"
ECDSA = {"mode": "ecdsa", "aggregators": [{"address": AGGREGATOR}]}


@dataclass(frozen=True)
class Measured:
    """One load: ``cpu`` is processor time of the program under it, in ms for each answered."""

    latencies: tuple[float, ...]
    failed: dict[str, int]
    per_second: float
    cpu: float


@asynccontextmanager
async def program(*arguments: str, log: Path) -> AsyncIterator[tuple[psutil.Process, str]]:
    """Run a module that prints its address; gives its process and that. Stopped at the end."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            address = (await process.stdout.readline()).decode().strip()
        if not address:
            sys.exit(f"executor_bench: {arguments[0]} did not start:\n{log.read_text()[-2000:]}")
        yield psutil.Process(process.pid), address
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Have it stop, which an executor does with its performers; kill it where it does not."""
    if process.returncode is None:
        process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await process.wait()
    if process.returncode is None:
        process.kill()
    await process.communicate()


def executor_file(folder: Path, **changes: Any) -> Path:
    """Write an executor's configuration into ``folder``: one performer of the bench, as a process
    that an executor which is killed leaves running."""
    folder.mkdir(parents=True, exist_ok=True)
    given = configuration(
        folder,
        **{
            "processes": {
                "allow": True,
                "commands": {IMAGE: [sys.executable, "-m", f"{RIG}.performer"]},
                "deployTimeout": "30s",
            },
            "avsPerformers": [performer()],
            **changes,
        },
    )
    path = folder / "executor.json"
    path.write_text(json.dumps(given))
    return path


def performer(avs: str = AVS, **changes: Any) -> dict[str, Any]:
    """Return an entry of ``avsPerformers``; ``envs`` is a mapping."""
    envs = {"PYTHONPATH": str(ROOT), **changes.pop("envs", {})}
    return {
        "image": {"repository": IMAGE, "tag": "v1"},
        "avsAddress": avs,
        "deploymentMode": "process",
        "envs": [{"name": name, "value": value} for name, value in envs.items()],
        **changes,
    }


@asynccontextmanager
async def executor(
    path: Path, command: tuple[str, ...] = ("tests.support.executor_process",)
) -> AsyncIterator[tuple[psutil.Process, str]]:
    """Run an executor of the configuration in ``path``, until it answers."""
    async with program(*command, str(path), log=path.with_name("executor.log")) as found:
        yield found


async def measured(load: Load, under: psutil.Process) -> Measured:
    """Put ``load`` on the program ``under``; return what came of it and what it cost."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{RIG}.load",
        json.dumps(asdict(load)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=1 << 26,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        before = _spent(under)
        process.stdin.write(b"\n")
        seen = json.loads(await process.stdout.readline())
        spent = _spent(under) - before
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    return Measured(
        latencies=tuple(seen["latencies"]),
        failed=seen["failed"],
        per_second=seen["answered"] / seen["seconds"],
        cpu=1000 * spent / max(1, seen["answered"]),
    )


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
