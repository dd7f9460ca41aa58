"""The operator as a process of its own, to be killed, stopped and started again."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


@dataclass
class OperatorProcess:
    """One run of ``hourglass operator``; times are monotonic seconds."""

    process: asyncio.subprocess.Process
    started_at: float
    ready_at: float = 0.0
    ended_at: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Task[None] | None = None

    @property
    def identity(self) -> str:
        """The end of the name under which it holds a Lease."""
        return f"_{self.process.pid}"

    async def ready(self, seconds: float = 20.0) -> None:
        """Return once it is ready."""
        async with asyncio.timeout(seconds):
            await self._ready.wait()
        assert self.ready_at, f"the operator ended before it was ready:\n{self.text()}"

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def ended(self, seconds: float = 20.0) -> int:
        """Return its exit code once it has ended."""
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            if self._reading is not None:
                await self._reading
        return code

    async def kill(self) -> None:
        self.send(signal.SIGKILL)
        await self.ended()

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of its log with this message."""
        return [line for line in self.log if line.get("event") == event]

    def complaints(self) -> list[dict[str, Any]]:
        """Return what it logged as an error, and what is no line of a log at all."""
        return [line for line in self.log if line.get("level") in (None, "error", "critical")]

    def text(self) -> str:
        return "\n".join(json.dumps(line) for line in self.log[-40:])

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for raw in self.process.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": raw.decode(errors="replace").rstrip()}
            self.log.append(line)
            if line.get("event") == "operator ready":
                self.ready_at = time.monotonic()
                self._ready.set()
        self.ended_at = time.monotonic()
        self._ready.set()


async def start_operator(kubeconfig: Path, namespace: str, **settings: str) -> OperatorProcess:
    """Start one; ``settings`` by the names of their environment variables, in lower case."""
    given = {
        "WATCH_NAMESPACES": json.dumps([namespace]),
        "METRICS_BIND_ADDRESS": "0",
        "CONTROL__ADDRESS": "127.0.0.1:0",
        **{name.upper(): value for name, value in settings.items()},
    }
    started_at = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hourglass_cli.main",
        "operator",
        f"--kubeconfig={kubeconfig}",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        cwd=REPOSITORY,
        env=os.environ | {f"HOURGLASS_OPERATOR__{name}": value for name, value in given.items()},
        limit=1 << 20,
    )
    found = OperatorProcess(process, started_at)
    found._reading = asyncio.get_running_loop().create_task(found._read())
    return found


@asynccontextmanager
async def operator_process(
    kubeconfig: Path, namespace: str, **settings: str
) -> AsyncIterator[OperatorProcess]:
    """Run one while the block runs, ready; killed on the way out if it still runs."""
    found = await start_operator(kubeconfig, namespace, **settings)
    try:
        await found.ready()
        yield found
    finally:
        await found.kill()
