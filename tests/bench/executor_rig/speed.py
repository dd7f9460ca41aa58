"""What a task costs, beside the pass-through that does nothing else."""

from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.bench.executor_rig.commits import commit_seconds
from tests.bench.executor_rig.load import Load
from tests.bench.executor_rig.performer import EXECUTE_TASK
from tests.bench.executor_rig.programs import (
    ECDSA,
    RIG,
    Measured,
    executor,
    executor_file,
    measured,
    program,
)
from tests.bench.executor_rig.rows import Size
from tests.bench.operator_rig.run import Figures

WARM_UP = 500
Under = tuple[psutil.Process, str, dict[str, Any]]


async def measure_speed(size: Size, figures: Figures, folder: Path, runs: int) -> None:
    """Load the pass-through and two executors in turn, so that what slows one slows all."""
    async with AsyncExitStack() as stack:
        log = folder / "programs.log"
        _, target = await stack.enter_async_context(program(f"{RIG}.performer", log=log))
        floor = await stack.enter_async_context(program(f"{RIG}.pass_through", target, log=log))
        plain = await stack.enter_async_context(executor(executor_file(folder / "plain")))
        checked = await stack.enter_async_context(
            executor(executor_file(folder / "signed", verification=ECDSA))
        )
        under: dict[str, Under] = {
            "floor": (*floor, {"method": EXECUTE_TASK}),
            "plain": (*plain, {}),
            "signed": (*checked, {"signed": True}),
        }
        for process, address, kind in under.values():
            await measured(Load(address, first=1, count=WARM_UP, **kind), process)
        for number in range(runs):
            commits = 2000 * commit_seconds(folder)
            await _one_run(size, figures, under, 1_000_000 * (number + 1), commits)
            (folder / "commits.sqlite3").unlink(missing_ok=True)


async def _one_run(
    size: Size, figures: Figures, under: dict[str, Under], first: int, commits_ms: float
) -> None:
    busy: dict[str, Measured] = {}
    alone: dict[str, Measured] = {}
    for name, (process, address, kind) in under.items():
        busy[name] = await measured(Load(address, first=first, count=size.tasks, **kind), process)
        alone[name] = await measured(
            Load(address, first=first + 500_000, count=size.alone, in_flight=1, **kind), process
        )
        for seen in (busy[name], alone[name]):
            if seen.failed:
                raise RuntimeError(f"{name}: tasks failed: {seen.failed}")
    p50 = {name: median(seen.latencies) for name, seen in alone.items()}
    floor, plain, signed = busy["floor"], busy["plain"], busy["signed"]
    figures.add("floor", floor.cpu)
    figures.add("cpu", plain.cpu)
    figures.add("rate", signed.per_second)
    figures.add("p50", median(signed.latencies))
    figures.add("signed_cpu", signed.cpu)
    figures.add("alone", p50["signed"])
    figures.add("latency", p50["plain"])
    for key in ("cpu", "signed_cpu"):
        figures.add_bare(key, floor.cpu)
    figures.add_bare("rate", floor.per_second)
    figures.add_bare("p50", median(floor.latencies))
    figures.add_bare("alone", p50["floor"])
    figures.add_bare("latency", p50["floor"] + commits_ms)
    figures.add_beside("two commits, ms", commits_ms)
    figures.add_beside("verification none, 16 in flight, a second", plain.per_second)
