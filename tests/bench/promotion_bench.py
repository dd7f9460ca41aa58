"""What promotions cost tasks: ``python -m tests.bench.promotion_bench``, minutes.

Operator and dev cluster in one process, the executor in one of its own, performers as processes
with a ledger that is synced before each answer. 200 tasks a second flow at a fixed rate while 20
revisions are promoted by PerformerControl. The ledger judges: a task that failed, that was answered
and never run, or that was run twice is a miss, and so is a load that fell below nine tenths of its
rate.
"""

import asyncio
import json
import sys
import tempfile
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import structlog

from tests.support.dev_cluster import running_dev_cluster
from tests.support.dev_operator import stage
from tests.support.promotions import promote_under_load


async def measure(folder: Path, via: str, promotions: int, rate: float) -> dict[str, object]:
    with running_dev_cluster(folder / "cluster") as cluster:
        async with stage(cluster, f"bench-{uuid4().hex[:8]}") as on:
            began = perf_counter()
            found = await promote_under_load(
                on,
                folder / "run",
                via=via,
                strategy="BlueGreen",
                promotions=promotions,
                rate=rate,
            )
            seconds = perf_counter() - began
    return {**asdict(found), "via": via, "seconds": round(seconds, 1)}


def main() -> int:
    """Print one JSON object; exit 1 if a task failed, was lost, or ran twice."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--promotions", type=int, default=20)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    rows: list[dict[str, object]] = []
    for via in ("performers", "control"):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(asyncio.run(measure(Path(folder), via, options.promotions, options.rate)))
    ok = all(not row["failed"] and row["lost"] == 0 and row["twice"] == 0 for row in rows) and all(
        float(str(row["tasks"])) > 0 for row in rows
    )
    print(json.dumps({"runs": rows, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
