"""What an executor holds in memory: with many performers, and as tasks go by."""

from pathlib import Path

import psutil
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.bench.executor_rig.load import Load
from tests.bench.executor_rig.programs import executor, executor_file, measured, performer
from tests.bench.executor_rig.rows import Size
from tests.bench.operator_rig.run import Figures
from tests.support.executor_process import until

PERFORMERS = 100
STEP = 10_000
MB = 1e6


async def measure_memory(size: Size, figures: Figures, folder: Path) -> None:
    """100 AVSs with a process each; then tasks to one executor, looked at every ``STEP``."""
    many = [performer(f"0x{number:040x}") for number in range(1, PERFORMERS + 1)]
    async with executor(executor_file(folder / "many", avsPerformers=many)) as (process, address):
        async with open_channel(address) as channel:
            client = ExecutorClient(channel)

            async def all_serve() -> bool:
                found = await client.list()
                return sum(one.application_healthy for one in found) == PERFORMERS

            await until(all_serve, 180)
        figures.add("memory", _held(process))
    async with executor(executor_file(folder / "slope")) as (process, address):
        await measured(Load(address, first=1, count=STEP), process)  # what is held once
        before = _held(process)
        for done in range(0, size.slope_tasks, STEP):
            await measured(Load(address, first=10 * STEP + done, count=STEP), process)
        figures.add("slope", (_held(process) - before) / (size.slope_tasks / STEP))


def _held(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / MB
