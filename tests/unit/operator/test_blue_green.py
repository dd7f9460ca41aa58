"""Blue-green: complete beside the old revision, then one switch."""

import pytest
from hourglass_operator.planning.actions import Patch

from tests.support.rollouts import (
    blue_green,
    bring_up,
    condition_of,
    decide,
    event_reasons,
    hash_of,
    message_of,
    receipts,
    roles,
    served_images,
    settled,
    staged,
    status_of,
)
from tests.support.simulated_cluster import SimulatedCluster, performer_manifest


def test_the_first_revision_serves_at_once() -> None:
    cluster = settled(strategy=blue_green())
    assert roles(cluster) == {"demo:1": "InService"}
    assert served_images(cluster) == {"demo:1"}
    assert condition_of(cluster, "Ready") == ("True", "InstancesReady")
    assert receipts(cluster) == []


def test_a_new_revision_is_complete_beside_the_old_one_and_takes_no_tasks() -> None:
    cluster = staged(replicas=2)
    assert len(cluster.ready_pods()) == 4
    assert served_images(cluster) == {"demo:1"}
    assert roles(cluster) == {"demo:2": "Staged", "demo:1": "InService"}


def test_the_staged_revision_has_a_service_of_its_own_that_the_status_names() -> None:
    cluster = staged()
    assert cluster.staged_service is not None
    chosen = cluster.staged_service["spec"]["selector"]
    assert chosen["hourglass.eigenlayer.io/revision"] == status_of(cluster)["revision"]
    assert status_of(cluster)["stagedServiceName"] == "performer-demo-staged"


def test_the_status_counts_the_revision_in_service() -> None:
    cluster = staged(replicas=2)
    status = status_of(cluster)
    assert (status["replicas"], status["readyReplicas"]) == (2, 2)
    in_service = hash_of(cluster, "demo:1")
    assert f"hourglass.eigenlayer.io/revision={in_service}" in status["selector"]
    assert status["inServiceRevision"] == in_service


def test_without_a_time_it_is_promoted_by_hand_only() -> None:
    cluster = staged()
    cluster.seconds += 10_000
    cluster.settle()
    assert served_images(cluster) == {"demo:1"}
    assert condition_of(cluster, "Ready") == ("False", "AwaitingPromotion")
    assert condition_of(cluster, "Available")[0] == "True"
    assert condition_of(cluster, "Stalled")[0] == "absent"


def test_zero_seconds_promote_as_soon_as_it_is_complete() -> None:
    cluster = settled(replicas=2, strategy=blue_green(autoPromoteAfterSeconds=0))
    cluster.change_spec(image="demo:2")
    cluster.step()
    (first, second) = cluster.waiting_pods()
    cluster.set_ready(first)
    cluster.step()
    assert served_images(cluster) == {"demo:1"}
    cluster.set_ready(second)
    cluster.step()
    assert served_images(cluster) == {"demo:2"}


def test_a_pause_is_counted_from_complete() -> None:
    cluster = staged(autoPromoteAfterSeconds=60)
    cluster.seconds += 59
    cluster.reconcile()
    assert served_images(cluster) == {"demo:1"}
    assert "is promoted at 2026-01-01T" in message_of(cluster)
    cluster.seconds += 1
    cluster.reconcile()
    assert served_images(cluster) == {"demo:2"}


def test_the_switch_is_noted_before_the_service_follows() -> None:
    cluster = staged(autoPromoteAfterSeconds=5)
    cluster.seconds += 5
    patches = [a for a in cluster.reconcile().actions if isinstance(a, Patch)]
    assert [p.kind for p in patches] == ["ReplicaSet", "Service"]
    assert "promotion" in patches[0].because


def test_the_old_revision_is_kept_ready_and_then_retired() -> None:
    cluster = staged(autoPromoteAfterSeconds=0, rollout={"keepPreviousSeconds": 100})
    bring_up(cluster)
    assert roles(cluster) == {"demo:2": "InService", "demo:1": "Draining"}
    assert condition_of(cluster, "Ready") == ("True", "InstancesReady")
    assert cluster.staged_service is None
    cluster.seconds += 3
    cluster.step(seconds=99)
    cluster.step(seconds=1)
    assert len(cluster.ready_pods()) == 2
    cluster.step()
    cluster.step()
    assert len(cluster.ready_pods()) == 1
    assert roles(cluster) == {"demo:2": "InService", "demo:1": "Retired"}


def test_a_staged_revision_that_nobody_promotes_is_aborted_in_time() -> None:
    cluster = staged(abortAfterSeconds=30)
    cluster.seconds += 29
    cluster.reconcile()
    assert roles(cluster)["demo:2"] == "Staged"
    cluster.seconds += 1
    cluster.settle()
    assert roles(cluster) == {"demo:2": "Retired", "demo:1": "InService"}
    assert condition_of(cluster, "Stalled") == ("True", "Aborted")
    assert condition_of(cluster, "Available")[0] == "True"
    (receipt,) = receipts(cluster)
    assert (receipt["action"], receipt["who"]) == ("Abort", "hourglass-operator")


def test_a_third_revision_takes_the_place_of_the_staged_one() -> None:
    cluster = staged()
    cluster.change_spec(image="demo:3")
    bring_up(cluster)
    assert roles(cluster) == {"demo:3": "Staged", "demo:2": "Retired", "demo:1": "InService"}
    assert len(cluster.ready_pods()) == 2


def test_going_back_to_the_revision_in_service_ends_the_rollout() -> None:
    cluster = staged()
    cluster.change_spec(image="demo:1")
    cluster.settle()
    assert roles(cluster) == {"demo:2": "Retired", "demo:1": "InService"}
    assert condition_of(cluster, "Ready") == ("True", "InstancesReady")


def test_both_revisions_are_scaled_together() -> None:
    cluster = staged()
    cluster.change_spec(replicas=3)
    bring_up(cluster)
    assert len(cluster.ready_pods()) == 6


def test_a_strategy_changed_to_rolling_promotes_what_was_staged() -> None:
    cluster = staged()
    cluster.change_spec(strategy={"type": "RollingUpdate"})
    cluster.settle()
    assert served_images(cluster) == {"demo:2"}
    assert cluster.service is not None
    assert "hourglass.eigenlayer.io/revision" not in cluster.service["spec"]["selector"]


def test_a_rolling_update_that_becomes_blue_green_halfway_leaves_no_gap() -> None:
    cluster = settled(replicas=4)
    cluster.change_spec(image="demo:2")
    cluster.step()
    cluster.change_spec(strategy=blue_green())
    for _ in range(8):
        cluster.step()
        assert len(cluster.serving_pods()) >= 4
        for pod in cluster.waiting_pods():
            cluster.set_ready(pod)
    cluster.settle()
    assert served_images(cluster) == {"demo:2"}
    assert len(cluster.serving_pods()) == 4


def gated(answer: str = "Passed", **settings: object) -> SimulatedCluster:
    task = {"payload": "0x4", "expectedOutput": "0x10"}
    cluster = settled(
        strategy=blue_green(autoPromoteAfterSeconds=0, gate={"smokeTask": task}, **settings)
    )
    cluster.gate = answer
    cluster.change_spec(image="demo:2")
    bring_up(cluster)
    return cluster


def test_a_passed_gate_lets_the_revision_through() -> None:
    cluster = gated()
    assert served_images(cluster) == {"demo:2"}


def test_a_failed_gate_stalls_the_rollout_with_its_words() -> None:
    cluster = gated("Failed")
    assert served_images(cluster) == {"demo:1"}
    assert condition_of(cluster, "Stalled") == ("True", "GateFailed")
    assert message_of(cluster) == "the gate Failed"


def test_a_failed_gate_is_not_passed_by_hand_either() -> None:
    cluster = gated("Failed")
    decide(cluster, "Promote")
    cluster.settle()
    assert served_images(cluster) == {"demo:1"}


def test_a_changed_gate_is_run_anew() -> None:
    cluster = gated("Failed")
    cluster.gate = "Passed"
    task = {"payload": "0x4", "expectedOutput": "0x11"}
    cluster.change_spec(strategy=blue_green(autoPromoteAfterSeconds=0, gate={"smokeTask": task}))
    bring_up(cluster)
    assert served_images(cluster) == {"demo:2"}


def test_a_gate_without_an_answer_is_tried_again() -> None:
    cluster = gated("Retry")
    assert condition_of(cluster, "Ready") == ("False", "GateRunning")
    cluster.gate = "Passed"
    bring_up(cluster)
    assert served_images(cluster) == {"demo:2"}


@pytest.mark.parametrize("image", ["demo:2", "demo:3"])
def test_an_unready_staged_revision_never_serves(image: str) -> None:
    cluster = SimulatedCluster(performer_manifest(strategy=blue_green(autoPromoteAfterSeconds=0)))
    cluster.settle()
    cluster.change_spec(image=image)
    for _ in range(5):
        cluster.step(seconds=100)
    assert served_images(cluster) == {"demo:1"}
    assert "Promoted" not in event_reasons(cluster)
