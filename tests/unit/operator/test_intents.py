"""Suspend, fence and scale: what is said holds until something else is said."""

from typing import Any

import pytest
from hourglass_operator.planning.actions import RestoreReplicas

from tests.support.rollouts import (
    blue_green,
    condition_of,
    decide,
    event_reasons,
    own,
    receipts,
    report,
    settled,
    status_of,
)
from tests.support.simulated_cluster import SimulatedCluster


def forget(cluster: SimulatedCluster, *fields: str) -> None:
    """Put a manifest over the object that does not name these fields."""
    for field in fields:
        cluster.performer["spec"].pop(field, None)
    cluster.performer["metadata"]["generation"] += 1


def test_a_fenced_performer_keeps_its_instances_and_takes_no_tasks() -> None:
    cluster = settled(replicas=2)
    own(cluster, "alice", {"f:fence": {}})
    cluster.change_spec(fence=True)
    cluster.settle()
    assert len(cluster.ready_pods()) == 2
    assert cluster.serving_pods() == []
    assert condition_of(cluster, "Ready") == ("True", "Fenced")
    assert condition_of(cluster, "Available")[0] == "False"
    assert status_of(cluster)["ready"] is False
    (receipt,) = [r for r in receipts(cluster) if r["action"] == "Fence"]
    assert (receipt["who"], receipt["from"], receipt["to"]) == ("alice", "false", "true")
    assert event_reasons(cluster).count("FenceRequested") == 1


def test_what_was_in_flight_when_the_fence_came_up_is_told() -> None:
    cluster = settled()
    cluster.change_spec(fence=True)
    cluster.reconcile()
    report(cluster, "one", status_of(cluster)["revision"], 2)
    cluster.step(seconds=10)
    report(cluster, "one", status_of(cluster)["revision"], 0)
    cluster.settle()
    fence = next(r for r in receipts(cluster) if r["action"] == "Fence")
    assert (fence["inFlight"], fence["lost"]) == ("2", "0")


def test_an_unfenced_performer_serves_at_once() -> None:
    cluster = settled(fence=True)
    assert cluster.serving_pods() == []
    cluster.change_spec(fence=False)
    cluster.reconcile()
    assert len(cluster.serving_pods()) == 1


def test_a_suspended_performer_runs_nothing_and_resumes_with_as_many() -> None:
    cluster = settled(replicas=3)
    own(cluster, "alice", {"f:suspend": {}})
    cluster.change_spec(suspend=True)
    cluster.settle()
    assert cluster.pods == {}
    assert condition_of(cluster, "Ready") == ("True", "Suspended")
    assert condition_of(cluster, "Available")[0] == "False"
    cluster.change_spec(suspend=False)
    cluster.settle()
    assert len(cluster.serving_pods()) == 3
    actions = [r["action"] for r in receipts(cluster)]
    assert actions[:2] == ["Resume", "Suspend"]


@pytest.mark.parametrize(
    "strategy", [{"type": "RollingUpdate"}, blue_green(), {"type": "Recreate"}]
)
def test_suspended_under_every_strategy_nothing_is_left(strategy: dict[str, Any]) -> None:
    cluster = settled(replicas=2, strategy=strategy)
    cluster.change_spec(suspend=True)
    cluster.settle()
    assert cluster.pods == {}
    assert cluster.reconcile().actions == ()


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ({"suspend": True}, lambda c: c.pods == {}),
        ({"fence": True}, lambda c: c.serving_pods() == []),
        ({"replicas": 3}, lambda c: len(c.serving_pods()) == 3),
    ],
    ids=["suspend", "fence", "replicas"],
)
def test_a_manifest_that_does_not_name_it_changes_nothing(said: dict[str, Any], holds: Any) -> None:
    cluster = settled()
    cluster.change_spec(**said)
    cluster.settle()
    assert holds(cluster)
    before = receipts(cluster)
    for _ in range(20):
        forget(cluster, *said)
        cluster.settle()
        assert holds(cluster)
    assert receipts(cluster) == before


def test_a_number_in_the_manifest_wins() -> None:
    cluster = settled(replicas=3)
    cluster.change_spec(replicas=1)
    cluster.settle()
    assert len(cluster.pods) == 1


def test_the_spec_is_told_the_number_once_the_performer_rests() -> None:
    cluster = settled()
    assert cluster.performer["spec"]["replicas"] == 1
    cluster.change_spec(replicas=4)
    cluster.settle()
    forget(cluster, "replicas")
    cluster.settle()
    assert cluster.performer["spec"]["replicas"] == 4


def test_it_is_not_told_before_the_performer_has_been_ready_for_a_while() -> None:
    cluster = SimulatedCluster()
    for _ in range(5):
        found = cluster.step()
        assert not any(isinstance(action, RestoreReplicas) for action in found.actions)
        for pod in cluster.waiting_pods():
            cluster.set_ready(pod)


def test_an_older_spec_without_any_word_runs_one() -> None:
    cluster = settled()
    assert len(cluster.pods) == 1
    assert receipts(cluster) == []


def test_a_rolled_back_performer_can_be_suspended() -> None:
    cluster = settled()
    cluster.change_spec(image="demo:2")
    cluster.settle()
    decide(cluster, "Rollback")
    cluster.settle()
    cluster.change_spec(suspend=True)
    cluster.settle()
    assert cluster.pods == {}
    assert condition_of(cluster, "Ready") == ("True", "Suspended")
    cluster.change_spec(suspend=False)
    cluster.settle()
    assert condition_of(cluster, "Stalled") == ("True", "RolledBack")
