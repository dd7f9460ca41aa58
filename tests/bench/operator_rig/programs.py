"""The programs that a measurement starts: the operator under test, and the bare client."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.bench.operator_rig.bare_client import Step
from tests.bench.operator_rig.wire import Server
from tests.support.control_plane import free_port

ROOT = Path(__file__).resolve().parents[3]
OURS = (
    f"{Path(sys.executable).with_name('hourglass')} operator --kubeconfig {{kubeconfig}} "
    "--control-bind-address 127.0.0.1:{port} --metrics-bind-address 127.0.0.1:{metrics_port}"
)
READY_URL = "http://127.0.0.1:{metrics_port}/readyz"
METRICS_URL = "http://127.0.0.1:{metrics_port}/metrics"
START_SECONDS = 60.0
_METRIC = re.compile(r"^(\w+)(?:\{[^}]*\})? ([-+.\deE]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """How to start an operator, and where it says that it is ready; templates all three.

    They may name {kubeconfig}, {port}, {metrics_port} and {health_port}.
    """

    line: str = OURS
    ready_url: str = READY_URL
    metrics_url: str = METRICS_URL

    def filled(self, values: Mapping[str, Any]) -> "Command":
        return Command(*(text.format_map(values) for text in asdict(self).values()))


class Operator:
    """The operator under test, a process of its own; its output is added to ``log``."""

    def __init__(self, command: Command, kubeconfig: Path, log: Path) -> None:
        ports = {name: free_port() for name in ("port", "metrics_port", "health_port")}
        self.control = f"127.0.0.1:{ports['port']}"
        """Where ours serves PerformerControl."""
        self._command = command.filled({"kubeconfig": kubeconfig, **ports})
        self._log = log
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        line = shlex.split(self._command.line)
        with self._log.open("ab") as output:
            return subprocess.Popen(line, cwd=ROOT, stdout=output, stderr=output)

    async def wait_ready(self) -> None:
        """Return once it says that it is ready; RuntimeError if it ends or is not in time."""
        deadline = time.monotonic() + START_SECONDS
        while not await asyncio.to_thread(_answers, self._command.ready_url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self._log.read_text()[-2000:]
                raise RuntimeError(f"the operator did not become ready:\n{tail}")
            await asyncio.sleep(0.02)

    def memory(self) -> int:
        """Return the resident bytes of the process and those it started."""
        process = psutil.Process(self._process.pid)
        return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))

    async def has_reconciled(self, count: int) -> bool:
        """Return whether so many reconciliations have ended since it started, and none waits."""
        found = sums_of_metrics(await asyncio.to_thread(_text, self._command.metrics_url))
        done = found.get("controller_runtime_reconcile_total", 0.0)
        return done >= count and found.get("workqueue_depth", 0.0) == 0

    def restart(self) -> None:
        """Kill it, and start it anew without waiting."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@asynccontextmanager
async def running(command: Command, kubeconfig: Path, log: Path) -> AsyncIterator[Operator]:
    """Run the operator under test, ready, while the block runs."""
    operator = Operator(command, kubeconfig, log)
    try:
        await operator.wait_ready()
        yield operator
    finally:
        operator.stop()


def sums_of_metrics(text: str) -> dict[str, float]:
    """Return each metric of a Prometheus page, summed over its labels. Pure."""
    found: dict[str, float] = {}
    for name, value in _METRIC.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
    return found


@dataclass(frozen=True, slots=True)
class Spent:
    """When a part of a plan began and ended, on the monotonic clock, and its requests."""

    began: float
    ended: float
    requests: int

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class BareClient:
    """A bare client that has rendered its plan and waits to be told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    async def go(self) -> Spent:
        """Run the plan, or its next chain; RuntimeError where the API refused a request."""
        self._in.write(b"go\n")
        line = await self._out.readline()
        if not line:
            raise RuntimeError("the bare client was refused; its words are above")
        return Spent(**json.loads(line))


@asynccontextmanager
async def bare_client(
    folder: Path,
    server: Server,
    steps: Sequence[Step],
    names: Sequence[str],
    *,
    connections: int = 1,
    stepwise: bool = False,
) -> AsyncIterator[BareClient]:
    """Run a bare client for these chains; the block begins when it is ready to be told."""
    plan = {
        "server": asdict(server),
        "names": list(names),
        "steps": [asdict(step) for step in steps],
        "connections": connections,
        "stepwise": stepwise,
    }
    path = folder / f"plan-{time.monotonic_ns()}.json"
    path.write_text(json.dumps(plan))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.bench.operator_rig.bare_client", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        yield BareClient(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())
