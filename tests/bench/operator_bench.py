"""What the operator does under load, beside a bare client: ``make bench-operator``.

The operator under test is a process of its own, started from a command line with the defaults
that ship: ``--operator-command`` puts another one in its place. Its command may name
{kubeconfig}, {port}, {metrics_port} and {health_port}; ``--ready-url`` and ``--metrics-url`` say
where it tells that it is ready, and its workqueue_depth and controller_runtime_reconcile_total.
It has to make of a Performer whatever it makes, owned by it, and to write a status.

Method. Real etcd, kube-apiserver and kube-controller-manager from $KUBEBUILDER_ASSETS, fresh for
each part, API priority and fairness as it ships; operator and bare client are users in the group of
service accounts. All that is timed is seen by the bench through watches, on one monotonic clock,
the same way for the operator and for the bare client. Each row is the median of three runs.

* A sample comes first: a few Performers that leave all to its default, made one after the other.
  The audit log tells what each cost in requests; the API tells which children it got.
* The bare client is a program of raw HTTP/1.1 over TLS on 16 kept-alive connections. For each
  Performer it POSTs the Performer, then exactly the sample's children with the uid that came back,
  then PUTs the sample's first status with the version that came back: no watch, and no list. The
  same program with the first request alone creates the Performers that the operator works on.
* *alone*: the controller-manager with its default of 20 requests a second for each controller.
  One Performer after the other; then image change, 200 at once, 1000 at once. Kubelet is the bench.
* *kubelet played*: the controller-manager without that limit until 1000 pods are there, bound and
  not Ready; then with it. All are patched Ready over 32 connections. Without it again: memory,
  idleness, and a restart by SIGKILL.
* *scheduler and kwok*: both beside, the controllers without their limit. 1000 at once: the operator
  also writes what turning Ready brings in that time, the bare client does not.

"pod Ready -> CR Ready" counts from the sending of kubelet's patch. The image change is judged over
every event of the watch: a new pod turns Ready after 2 s, a deleted one lingers 10 s. The
reference's figures come from a rig with four controllers, no ReplicaSets and no nodes.

Absolute figures are this machine's; ratios are judged. But a bare client 20 % slower than 8.1 s
(ReplicaSet + Service + status, 1000 of each) fails the bench: it would make every ratio easy.

Writes ``.hourglass/bench/operator.json``, prints the table; exit status 1 where a row is missed.
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

from tests.bench.operator_rig import outcome, report  # noqa: E402
from tests.bench.operator_rig.machine import machine  # noqa: E402
from tests.bench.operator_rig.programs import METRICS_URL, OURS, READY_URL, Command  # noqa: E402
from tests.bench.operator_rig.report import Size  # noqa: E402
from tests.bench.operator_rig.run import Figures, Run  # noqa: E402
from tests.support import control_plane, played_nodes  # noqa: E402

RESULT = ROOT / ".hourglass" / "bench" / "operator.json"
QUICK = Size(single=15, some=50, many=200, idle_seconds=10)


def main() -> int:
    """Return 0 where every row that was asked for is met."""
    options = _options()
    missing = control_plane.why_unavailable() or played_nodes.why_unavailable()
    if missing:
        sys.exit(f"operator_bench: {missing}")
    size = QUICK if options.quick else Size()
    rows = {goal.key: goal for goal in report.goals(size)}
    unknown = set(options.only) - set(rows)
    if unknown:
        sys.exit(f"no row {', '.join(sorted(unknown))}; there are {', '.join(rows)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("operator_bench: told to stop"))
    here = machine()
    figures = _measured(options, size, frozenset(options.only or rows))
    wanted = [goal for key, goal in rows.items() if key in (options.only or rows)]
    judged = outcome.judged(wanted, figures)
    words = ("The reference's figures come from four controllers, no ReplicaSets and no nodes.",)
    method = _method(options, size)
    outcome.tell(judged, here, figures, method, RESULT, (*words, *figures.notes))
    return 0 if all(row.met for row in judged) else 1


def _measured(options: argparse.Namespace, size: Size, wanted: frozenset[str]) -> Figures:
    command = Command(options.operator_command, options.ready_url, options.metrics_url)
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="operator-bench-") as folder:
        kept = Path(options.keep or folder)
        kept.mkdir(parents=True, exist_ok=True)
        run = Run(command, size, wanted, figures, kept)
        for number in range(options.runs):
            print(f"run {number + 1} of {options.runs}", file=sys.stderr, flush=True)
            asyncio.run(run.measure())
    return figures


def _method(options: argparse.Namespace, size: Size) -> dict[str, object]:
    return {
        "said_in": "tests/bench/operator_bench.py",
        "operator": "ours" if options.operator_command == OURS else options.operator_command,
        "runs": options.runs,
        "size": asdict(size),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operator-command", default=OURS, help="the operator under test")
    parser.add_argument("--ready-url", default=READY_URL)
    parser.add_argument("--metrics-url", default=METRICS_URL)
    parser.add_argument("--runs", type=int, help="3, or 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="small, once: to try a change")
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW", help="these rows alone")
    parser.add_argument("--keep", help="folder for logs, kept")
    options = parser.parse_args()
    if options.runs is None:
        options.runs = 1 if options.quick else 3
    return options


if __name__ == "__main__":
    sys.exit(main())
