"""An executor as a process of its own, to be killed: ``python -m tests.support.executor_process``.

It reads the configuration file named on its command line and prints its gRPC address.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hourglass_common.runtime.logs import configure_logs
from hourglass_common.runtime.settings import load_settings
from hourglass_executor.main import Addresses, run
from hourglass_executor.settings import ExecutorSettings
from prometheus_client import CollectorRegistry


@asynccontextmanager
async def executor_process(
    configuration: dict[str, Any], folder: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Start one; gives its process and its address. Killed on the way out."""
    path = folder / "executor.json"
    path.write_text(json.dumps(configuration))
    log = (folder / "executor.log").open("ab")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.executor_process",
        str(path),
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
    )
    log.close()
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            address = (await process.stdout.readline()).decode().strip()
        assert address, (folder / "executor.log").read_text()
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def running_executor(
    settings: ExecutorSettings, registry: CollectorRegistry | None = None
) -> AsyncIterator[Addresses]:
    """Run one in this process while the block runs."""
    ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    metrics = registry or CollectorRegistry()
    async with asyncio.TaskGroup() as group:
        group.create_task(run(settings, stop=stop, on_ready=ready.set_result, registry=metrics))
        async with asyncio.timeout(20):
            addresses = await ready
        try:
            yield addresses
        finally:
            stop.set()


async def until(holds: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Return the first true answer of ``holds``, which may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.05)


async def _main() -> None:
    settings = load_settings(
        ExecutorSettings, config_path=sys.argv[1], env_prefix="NOT_READ__", environ={}
    )
    configure_logs("debug" if settings.debug else "info")  # to stderr: stdout is for the address
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(settings, stop=stop, on_ready=lambda found: print(found.grpc, flush=True))


if __name__ == "__main__":
    asyncio.run(_main())
