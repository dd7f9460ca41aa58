"""What PerformerControl does under load, beside bare requests: ``make bench-control``.

The operator is a process of its own with the defaults that ship: it leads, and it works on all that
is created here. Real etcd, kube-apiserver and kube-controller-manager from $KUBEBUILDER_ASSETS,
fresh for each run, on the same processors as the operator and the callers. Each row is the median
of the runs.

Method. A thousand Performers that leave all to its default are made first, and the operator is let
come to rest; pods are made, and never Ready: nobody plays kubelet. Callers send and take bytes over
four connections, so that they cost little.

* *list*: one page of all, one call after the other, until protobuf has parsed it; *bytes* leaves
  that out. *The first* comes when no Performer was encoded yet. What our own client makes of it
  (manifests, ``list_as_manifests``) is told beside.
* *get*: one after the other, and 32 at once.
* *watch*: ten watchers in this process, and 50 patches a second of a label by bare HTTP: from the
  moment that a patch is sent until each watcher has the event. Then more watchers, and patches as
  fast as 16 connections take them: events that all watchers took in a second, the last one in.
  What these watchers cost in this process is in all three figures.
* *create*: acknowledged is read-your-writes: the object is in the API and in the replica's cache.
  The bare client POSTs the same objects before, over as many connections; the operator works on
  both, as it does wherever it runs.

Writes ``.hourglass/bench/control.json``, prints the table; exit status 1 where a row is missed.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench.control_rig.rows import QUICK, Size, goals  # noqa: E402
from tests.bench.control_rig.run import Run  # noqa: E402
from tests.bench.operator_rig import outcome  # noqa: E402
from tests.bench.operator_rig.machine import machine  # noqa: E402
from tests.bench.operator_rig.run import Figures  # noqa: E402
from tests.support import control_plane  # noqa: E402

RESULT = ROOT / ".hourglass" / "bench" / "control.json"


def main() -> int:
    """Return 0 where every row is met."""
    options = _options()
    missing = control_plane.why_unavailable()
    if missing:
        sys.exit(f"control_bench: {missing}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("control_bench: told to stop"))
    size, figures, here = QUICK if options.quick else Size(), Figures(), machine()
    with tempfile.TemporaryDirectory(prefix="control-bench-") as folder:
        for number in range(options.runs):
            print(f"run {number + 1} of {options.runs}", file=sys.stderr, flush=True)
            place = Path(options.keep or folder) / f"run-{number}"
            place.mkdir(parents=True)
            asyncio.run(Run(size, figures, place).measure())
    rows = outcome.judged(goals(size), figures)
    method = {
        "said_in": "tests/bench/control_bench.py",
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
    parser.add_argument("--keep", help="folder for logs, kept")
    options = parser.parse_args()
    if options.runs is None:
        options.runs = 1 if options.quick else 3
    return options


if __name__ == "__main__":
    sys.exit(main())
