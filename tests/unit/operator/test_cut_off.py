"""Whatever write is the last of an operator, the next one ends where it would have ended."""

from typing import Any

import pytest

from tests.support.simulated_cluster import SimulatedCluster, performer_manifest

STRATEGIES: dict[str, dict[str, Any]] = {
    "rolling": {"type": "RollingUpdate"},
    "blue-green": {"type": "BlueGreen", "blueGreen": {"autoPromoteAfterSeconds": 0}},
    "recreate": {"type": "Recreate"},
}
DRAIN = 10


def rolled_out(strategy: dict[str, Any], cut_after: int = 0) -> tuple[SimulatedCluster, int, int]:
    """Return an upgrade whose operator ended after so many actions, with the number of all, and
    the fewest serving pods on the way."""
    rollout = {"drainTimeoutSeconds": DRAIN, "keepPreviousSeconds": 0}
    cluster = SimulatedCluster(performer_manifest(replicas=2, strategy=strategy, rollout=rollout))
    cluster.settle()
    cluster.change_spec(image="demo:2")
    count, least = 0, 2
    for _ in range(10 * DRAIN):
        for action in cluster.plan().actions:
            cluster.perform(action)
            least = min(least, len(cluster.serving_pods()))
            count += 1
            if count == cut_after:
                cluster.seconds += 3 * DRAIN
                break
        cluster.sync_replica_sets()
        least = min(least, len(cluster.serving_pods()))
        for pod in cluster.waiting_pods():
            cluster.set_ready(pod)
        cluster.seconds += 1
    cluster.settle()
    return cluster, count, least


def outcome(cluster: SimulatedCluster) -> dict[str, Any]:
    """Return how it ended, without times."""
    receipts = cluster.performer["status"]["receipts"]
    return {
        "receipts": [
            {k: v for k, v in r.items() if k not in ("when", "drained")} for r in receipts
        ],
        "told as drained": ["drained" in receipt for receipt in receipts],
        "sizes": {n: s["spec"]["replicas"] for n, s in cluster.replica_sets.items()},
        "selector": cluster.service["spec"]["selector"] if cluster.service else None,
        "conditions": [
            (c["type"], c["status"], c["reason"]) for c in cluster.performer["status"]["conditions"]
        ],
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_operator_that_ends_after_any_action_changes_nothing_of_the_end(strategy: str) -> None:
    whole, count, _ = rolled_out(STRATEGIES[strategy])
    for last in range(1, count + 1):
        cut, _, least = rolled_out(STRATEGIES[strategy], cut_after=last)
        assert outcome(cut) == outcome(whole), f"cut off after action {last}"
        assert least >= (0 if strategy == "recreate" else 1), f"cut off after action {last}"
