"""What the operator decides, seen through a simulated namespace."""

from typing import Any

import pytest
from hourglass_common.kube.objects import condition
from hourglass_operator.planning.actions import Create, Delete, Patch, WriteStatus
from hourglass_operator.planning.plan import plan
from hourglass_operator.planning.reasons import Reason
from hourglass_operator.planning.trouble import Trouble

from tests.support.simulated_cluster import SimulatedCluster, performer_manifest


def settled(**spec: Any) -> SimulatedCluster:
    cluster = SimulatedCluster(performer_manifest(**spec))
    cluster.settle()
    return cluster


def condition_of(cluster: SimulatedCluster, kind: str) -> tuple[str, str]:
    found = condition(cluster.performer, kind) or {}
    return found.get("status", "absent"), found.get("reason", "absent")


def status_of(cluster: SimulatedCluster) -> dict[str, Any]:
    found = cluster.performer["status"]
    assert isinstance(found, dict)
    return found


def fail_the_pods(cluster: SimulatedCluster, waiting: dict[str, str]) -> None:
    """Bring the pods up with a container that waits for good."""
    cluster.reconcile()
    cluster.sync_replica_sets()
    for pod in cluster.waiting_pods():
        state = {"name": "performer", "restartCount": 4, "state": {"waiting": waiting}}
        cluster.pods[pod]["status"] = {"containerStatuses": [state]}
    cluster.reconcile()


def test_a_new_performer_gets_a_replica_set_a_service_and_a_network_policy() -> None:
    cluster = SimulatedCluster()
    applied = [a.manifest["kind"] for a in cluster.reconcile().actions if isinstance(a, Create)]
    assert sorted(applied) == ["NetworkPolicy", "ReplicaSet", "Service"]


def test_the_first_status_says_that_it_is_not_ready_yet() -> None:
    cluster = SimulatedCluster()
    cluster.reconcile()
    assert status_of(cluster)["observedGeneration"] == 1
    assert status_of(cluster)["phase"] == "Pending"
    assert condition_of(cluster, "Ready") == ("False", "Starting")
    assert condition_of(cluster, "Reconciling") == ("True", "Starting")


def test_a_ready_performer_tells_where_it_is() -> None:
    status = status_of(settled(replicas=2))
    assert status["phase"] == "Running"
    assert status["ready"] is True
    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (2, 2, 2)
    assert status["serviceName"] == "performer-demo"
    assert status["grpcEndpoint"] == "performer-demo.prod.svc.cluster.local:9090"
    assert status["podName"].startswith("demo-")


def test_a_settled_performer_costs_nothing() -> None:
    cluster = settled()
    cluster.seconds += 3600
    assert cluster.reconcile().actions == ()


def test_a_changed_image_replaces_the_pods() -> None:
    cluster = settled()
    cluster.change_spec(image="demo:2")
    cluster.settle()
    (pod,) = cluster.pods.values()
    assert pod["spec"]["containers"][0]["image"] == "demo:2"


def test_the_old_instance_stays_until_the_new_one_is_ready() -> None:
    cluster = settled()
    (old,) = cluster.ready_pods()
    cluster.change_spec(image="demo:2")
    for _ in range(3):
        cluster.reconcile()
        cluster.sync_replica_sets()
    assert cluster.ready_pods() == [old]
    assert status_of(cluster)["phase"] == "Upgrading"
    assert condition_of(cluster, "Available")[0] == "True"
    assert condition_of(cluster, "Ready") == ("False", "RollingOut")


def test_a_failing_upgrade_leaves_the_old_instance_in_service() -> None:
    cluster = settled()
    (old,) = cluster.ready_pods()
    cluster.change_spec(image="demo:broken")
    fail_the_pods(cluster, {"reason": "ImagePullBackOff", "message": "not found"})
    cluster.sync_replica_sets()
    assert cluster.ready_pods() == [old]
    assert condition_of(cluster, "Stalled") == ("True", "ImagePullFailed")
    assert condition_of(cluster, "Available")[0] == "True"
    assert status_of(cluster)["phase"] == "Upgrading"


def test_going_back_to_an_older_spec_uses_its_replica_set() -> None:
    cluster = settled()
    first = set(cluster.replica_sets)
    cluster.change_spec(image="demo:2")
    cluster.settle()
    cluster.change_spec(image="demo:1")
    cluster.settle()
    assert len(cluster.replica_sets) == 2
    (serving,) = (n for n, s in cluster.replica_sets.items() if s["spec"]["replicas"])
    assert {serving} == first


def test_only_the_last_ten_retired_revisions_are_kept() -> None:
    cluster = settled()
    for number in range(14):
        cluster.change_spec(image=f"demo:{number + 10}")
        cluster.settle()
    assert len(cluster.replica_sets) == 1 + 10
    assert len(cluster.ready_pods()) == 1


def test_scaling_patches_the_replica_set_and_starts_no_rollout() -> None:
    cluster = settled()
    (before,) = cluster.replica_sets
    cluster.change_spec(replicas=3)
    (patch,) = (a for a in cluster.reconcile().actions if isinstance(a, Patch))
    assert patch.change == {"spec": {"replicas": 3}}
    cluster.settle()
    assert list(cluster.replica_sets) == [before]
    assert len(cluster.ready_pods()) == 3


def test_a_performer_scaled_to_zero_is_done_without_instances() -> None:
    cluster = settled()
    cluster.change_spec(replicas=0)
    cluster.settle()
    assert cluster.pods == {}
    assert condition_of(cluster, "Ready") == ("True", "ScaledToZero")
    assert status_of(cluster)["ready"] is False


def test_a_new_avs_address_relabels_the_service_and_restarts_nothing() -> None:
    cluster = settled()
    pods = set(cluster.pods)
    cluster.change_spec(avsAddress="0xCd")
    cluster.settle()
    assert set(cluster.pods) == pods
    assert cluster.service is not None
    assert cluster.service["metadata"]["labels"]["hourglass.eigenlayer.io/avs"] == "0xcd"


def test_a_service_changed_by_hand_is_repaired() -> None:
    cluster = settled()
    assert cluster.service is not None
    wanted = dict(cluster.service["spec"]["selector"])
    cluster.service["spec"]["selector"] = {"app": "mine"}
    cluster.service["spec"]["clusterIP"] = "10.0.0.1"
    cluster.settle()
    assert cluster.service["spec"]["selector"] == wanted
    assert cluster.service["spec"]["clusterIP"] == "10.0.0.1"


def test_a_service_that_was_deleted_comes_back() -> None:
    cluster = settled()
    cluster.service = None
    cluster.settle()
    assert cluster.service is not None


def test_nothing_is_done_for_a_performer_that_is_being_deleted() -> None:
    cluster = settled()
    cluster.performer["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.service = None
    assert cluster.reconcile().actions == ()


def test_an_object_of_somebody_else_is_never_touched() -> None:
    cluster = SimulatedCluster(
        foreign=({"kind": "Service", "metadata": {"name": "performer-demo"}},)
    )
    found = cluster.reconcile()
    assert not any(isinstance(a, Create | Patch | Delete) for a in found.actions)
    assert condition_of(cluster, "Stalled") == ("True", "NameTaken")
    ready = condition(cluster.performer, "Ready")
    assert ready is not None
    assert "Service performer-demo" in ready["message"]


def test_a_conflict_over_a_name_ends_when_the_other_object_is_gone() -> None:
    cluster = SimulatedCluster(
        foreign=({"kind": "Service", "metadata": {"name": "performer-demo"}},)
    )
    cluster.reconcile()
    cluster.foreign = ()
    cluster.settle()
    assert condition_of(cluster, "Stalled") == ("absent", "absent")
    assert condition_of(cluster, "Ready")[0] == "True"


@pytest.mark.parametrize(
    "meta",
    [
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
        {"ownerReferences": [{"kind": "Performer", "name": "demo", "uid": "of the one before"}]},
    ],
    ids=["terminating", "of a deleted performer of the same name"],
)
def test_an_object_that_is_about_to_go_is_waited_for(meta: dict[str, Any]) -> None:
    leaving = {"kind": "Service", "metadata": {"name": "performer-demo", **meta}}
    cluster = SimulatedCluster(foreign=(leaving,))
    found = cluster.reconcile()
    assert not any(isinstance(a, Create | Patch | Delete) for a in found.actions)
    assert found.requeue_after is not None
    assert condition_of(cluster, "Ready") == ("False", "NameLeaving")
    assert condition_of(cluster, "Stalled")[0] == "absent"
    assert {event.kind for event in cluster.events} == {"Normal"}


def test_what_the_api_refused_is_shown() -> None:
    cluster = SimulatedCluster()
    for action in plan(cluster.observed(), Trouble(Reason.INVALID_SPEC, "cpu: no")).actions:
        cluster.perform(action)
    assert condition_of(cluster, "Stalled") == ("True", "InvalidSpec")
    assert status_of(cluster)["phase"] == "Failed"


@pytest.mark.parametrize("reason", [Reason.INVALID_SPEC, Reason.PODS_REFUSED])
def test_instances_that_run_are_not_all_when_the_api_refused_something(reason: Reason) -> None:
    """A policy that was not taken leaves the instances less confined than the spec says."""
    cluster = settled()
    for action in plan(cluster.observed(), Trouble(reason, "cidr: no")).actions:
        cluster.perform(action)
    assert condition_of(cluster, "Stalled") == ("True", reason.value)
    assert condition_of(cluster, "Ready") == ("False", reason.value)
    assert condition_of(cluster, "Available")[0] == "True"


def test_pods_that_the_api_refuses_stall_the_performer() -> None:
    cluster = SimulatedCluster()
    cluster.reconcile()
    (found,) = cluster.replica_sets.values()
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}
    found["status"] = {"replicas": 0, "conditions": [failure]}
    cluster.reconcile()
    assert condition_of(cluster, "Stalled") == ("True", "QuotaExceeded")
    ready = condition(cluster.performer, "Ready")
    assert ready is not None
    assert "exceeded quota: q" in ready["message"]


@pytest.mark.parametrize(
    ("waiting", "reason"),
    [
        ({"reason": "ErrImagePull", "message": "no such image"}, "ImagePullFailed"),
        ({"reason": "InvalidImageName"}, "ImagePullFailed"),
        ({"reason": "CrashLoopBackOff"}, "CrashLooping"),
        ({"reason": "CreateContainerConfigError", "message": "secret s"}, "ConfigurationFailed"),
        (
            {
                "reason": "CreateContainerConfigError",
                "message": "container has runAsNonRoot and image will run as root",
            },
            "SecurityProfile",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value["reason"],
)
def test_a_pod_that_can_not_start_names_its_reason(waiting: dict[str, str], reason: str) -> None:
    cluster = SimulatedCluster()
    fail_the_pods(cluster, waiting)
    assert condition_of(cluster, "Ready") == ("False", reason)
    assert condition_of(cluster, "Stalled") == ("True", reason)
    assert condition_of(cluster, "Degraded") == ("True", reason)
    assert status_of(cluster)["phase"] == "Failed"
    (pod,) = cluster.pods
    ready = condition(cluster.performer, "Ready")
    assert ready is not None
    assert pod in ready["message"]


def test_a_pod_that_no_node_takes_is_waited_for() -> None:
    cluster = SimulatedCluster()
    cluster.reconcile()
    cluster.sync_replica_sets()
    (pod,) = cluster.pods.values()
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod["status"] = {"conditions": [scheduled | {"message": "0/3 nodes are available"}]}
    cluster.reconcile()
    assert condition_of(cluster, "Ready") == ("False", "Unschedulable")
    assert condition_of(cluster, "Stalled")[0] == "absent"  # a node may come
    assert status_of(cluster)["phase"] == "Pending"


def test_a_pod_that_stays_unready_is_told_after_a_minute() -> None:
    cluster = SimulatedCluster()
    cluster.reconcile()
    cluster.sync_replica_sets()
    cluster.seconds += 20
    assert cluster.reconcile().requeue_after == 40
    cluster.seconds += 40
    cluster.reconcile()
    assert condition_of(cluster, "Ready") == ("False", "NotReadyInTime")
    assert condition_of(cluster, "Degraded") == ("True", "NotReadyInTime")
    assert condition_of(cluster, "Stalled")[0] == "absent"  # it may still come
    assert cluster.events[-1].kind == "Warning"
    assert cluster.reconcile().actions == ()
    cluster.settle()
    assert condition_of(cluster, "Degraded") == ("False", "InstancesReady")


def test_a_transition_time_moves_only_when_the_condition_flips() -> None:
    cluster = SimulatedCluster()
    cluster.reconcile()
    first = condition(cluster.performer, "Ready")
    cluster.seconds += 60
    fail_the_pods(cluster, {"reason": "ErrImagePull"})
    second = condition(cluster.performer, "Ready")
    assert first is not None
    assert second is not None
    assert second["reason"] != first["reason"]
    assert second["lastTransitionTime"] == first["lastTransitionTime"]
    cluster.seconds += 60
    cluster.settle()
    third = condition(cluster.performer, "Ready")
    assert third is not None
    assert third["lastTransitionTime"] > first["lastTransitionTime"]


def test_ready_time_stays_and_last_upgrade_moves() -> None:
    cluster = settled()
    first = dict(status_of(cluster))
    assert "lastUpgrade" not in first
    cluster.seconds += 60
    cluster.change_spec(image="demo:2")
    cluster.settle()
    assert status_of(cluster)["readyTime"] == first["readyTime"]
    assert status_of(cluster)["lastUpgrade"] > first["readyTime"]


def test_an_event_is_reported_for_each_transition_and_only_then() -> None:
    cluster = settled(replicas=2)
    assert [event.reason for event in cluster.events] == ["Starting", "InstancesReady"]
    before = len(cluster.events)
    cluster.change_spec(image="demo:broken")
    fail_the_pods(cluster, {"reason": "ErrImagePull"})
    new = [(event.kind, event.reason) for event in cluster.events[before:]]
    assert ("Warning", "ImagePullFailed") in new
    assert len(new) == len(set(new))


def test_a_performer_costs_two_status_writes_until_it_is_ready() -> None:
    cluster = SimulatedCluster(status_age=1.0)
    told: list[int] = []
    for _ in range(3):
        found = cluster.reconcile()
        told.append(sum(isinstance(action, WriteStatus) for action in found.actions))
        cluster.sync_replica_sets()
    for pod in cluster.waiting_pods():
        cluster.set_ready(pod)
    found = cluster.reconcile()
    told.append(sum(isinstance(action, WriteStatus) for action in found.actions))
    assert told == [1, 0, 0, 1]


def test_counts_that_have_stood_for_a_while_are_told() -> None:
    cluster = SimulatedCluster(status_age=1.0)
    cluster.reconcile()
    cluster.sync_replica_sets()
    found = cluster.reconcile()
    assert found.requeue_after is not None
    cluster.status_age += found.requeue_after
    cluster.reconcile()
    assert status_of(cluster)["replicas"] == 1
