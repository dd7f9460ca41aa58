"""Between the note of a promotion and the switch of the Service the operator may have been down."""

from typing import Any

from hourglass_operator.planning.actions import Action, Patch

from tests.support.simulated_cluster import SimulatedCluster, performer_manifest

DRAIN = 10


def noted_and_not_switched() -> SimulatedCluster:
    """Return a promotion that was noted by an operator that ended before the next write."""
    spec: dict[str, Any] = {
        "replicas": 2,
        "strategy": {"type": "BlueGreen"},
        "rollout": {"drainTimeoutSeconds": DRAIN, "keepPreviousSeconds": 0},
    }
    cluster = SimulatedCluster(performer_manifest(**spec))
    cluster.settle()
    cluster.change_spec(image="demo:2")
    cluster.settle()
    revision = cluster.performer["status"]["revision"]
    decision = {"action": "Promote", "decidedForHash": revision}
    cluster.change_spec(rollout={**spec["rollout"], "decision": decision})
    cluster.reconcile()
    (noted, *_) = cluster.plan().actions
    assert isinstance(noted, Patch)
    assert "promotion" in noted.because
    cluster.perform(noted)
    return cluster


def sizes(actions: tuple[Action, ...]) -> list[Patch]:
    return [a for a in actions if isinstance(a, Patch) and "replicas" in a.change.get("spec", {})]


def test_nothing_is_taken_from_a_revision_that_the_service_still_selects() -> None:
    cluster = noted_and_not_switched()
    cluster.seconds += 10 * DRAIN
    assert len(cluster.serving_pods()) == 2
    assert sizes(cluster.reconcile().actions) == []
    assert len(cluster.serving_pods()) == 2


def test_a_drain_is_counted_from_the_switch_and_not_from_the_note() -> None:
    cluster = noted_and_not_switched()
    cluster.seconds += 10 * DRAIN
    cluster.reconcile()
    assert sizes(cluster.reconcile().actions) == []
    cluster.seconds += DRAIN
    (gone,) = sizes(cluster.reconcile().actions)
    assert gone.change["spec"] == {"replicas": 0}


def test_a_service_that_was_made_anew_holds_up_no_drain() -> None:
    cluster = noted_and_not_switched()
    cluster.service = None
    cluster.settle()
    assert sorted(s["spec"]["replicas"] for s in cluster.replica_sets.values()) == [0, 2]


def test_the_service_is_widened_before_an_old_instance_is_taken_out() -> None:
    """A rolling update that follows blue-green: until then the Service selects one revision."""
    cluster = SimulatedCluster(performer_manifest(strategy={"type": "BlueGreen"}))
    cluster.settle()
    cluster.change_spec(strategy={"type": "RollingUpdate"}, image="demo:2")
    cluster.perform(cluster.plan().actions[0])  # the ReplicaSet; then the operator ends
    cluster.sync_replica_sets()
    for pod in cluster.waiting_pods():
        cluster.set_ready(pod)
    for action in cluster.plan().actions:
        cluster.perform(action)
        assert cluster.serving_pods() != []
    cluster.settle()
    assert len(cluster.serving_pods()) == 1


def test_the_status_is_written_after_what_it_tells_of() -> None:
    cluster = SimulatedCluster()
    kinds = [type(action).__name__ for action in cluster.plan().actions]
    assert "WriteStatus" in kinds
    assert kinds.index("WriteStatus") > max(i for i, k in enumerate(kinds) if k == "Create")
