"""What the executor costs and what it survives: ``make bench-executor``.

The executor is a process of its own with the defaults that ship, and a store on this disk; its
performers are processes that echo 64 bytes. Each row is the median of the runs; what is killed is
killed once.

Method. The floor is a grpc.aio server that hands bytes to a channel and the answer's back, in front
of the same performer and under the same load generator, in turn with the executors. Processor time
is the program's own, all threads, by the system's count. *Two commits* are those of a table of the
same form on the same disk, one after the other, timed in the same run. Results are signed in all
rows; *verification none* leaves out only the look at the task's signature.

Kills are judged by a ledger that is on disk before a task is worked on.

Writes ``.hourglass/bench/executor.json``, prints the table; exit status 1 where a row is missed.
"""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import router_bench  # noqa: E402
from tests.bench.executor_rig.kills import kill_executors, kill_instances  # noqa: E402
from tests.bench.executor_rig.memory import measure_memory  # noqa: E402
from tests.bench.executor_rig.rows import QUICK, Size, goals  # noqa: E402
from tests.bench.executor_rig.speed import measure_speed  # noqa: E402
from tests.bench.operator_rig import outcome  # noqa: E402
from tests.bench.operator_rig.machine import machine  # noqa: E402
from tests.bench.operator_rig.run import Figures  # noqa: E402

RESULT = ROOT / ".hourglass" / "bench" / "executor.json"


async def measure(size: Size, figures: Figures, folder: Path, runs: int) -> None:
    """Take all figures, the speed ones ``runs`` times."""
    await measure_speed(size, figures, folder, runs)
    figures.add("decisions", router_bench.measure(4)[0])
    await kill_instances(size, figures, folder)
    await kill_executors(size, figures, folder)
    await measure_memory(size, figures, folder)


def main() -> int:
    """Return 0 where every row is met."""
    options = _options()
    size, figures, here = QUICK if options.quick else Size(), Figures(), machine()
    with tempfile.TemporaryDirectory(prefix="executor-bench-", dir=options.on) as folder:
        asyncio.run(measure(size, figures, Path(folder), options.runs))
    rows = outcome.judged(goals(), figures)
    method = {
        "said_in": "tests/bench/executor_bench.py",
        "runs": options.runs,
        "size": asdict(size),
    }
    outcome.tell(rows, here, figures, method, RESULT)
    return 0 if all(row.met for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, help="3, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="small, once: to try a change")
    parser.add_argument("--on", help="folder on the disk to measure, else where temporary files go")
    options = parser.parse_args()
    if options.runs is None:
        options.runs = 1 if options.quick else 3
    return options


if __name__ == "__main__":
    sys.exit(main())
