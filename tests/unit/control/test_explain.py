"""Why a performer serves or does not: one case for each thing that can be in the way."""

from collections.abc import Callable
from typing import Any

import pytest
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import HourglassError
from hourglass_operator.control.explain import explain
from hourglass_services.control.port import Explanation, StepState

from tests.support.rollouts import bring_up, decide, hash_of, settled, staged
from tests.support.simulated_cluster import SimulatedCluster, performer_manifest

REVISION = "hourglass.eigenlayer.io/revision"


def endpoints(cluster: SimulatedCluster) -> list[Endpoint]:
    """Return the addresses that a cluster would give: those of ready pods that serve."""
    return [
        Endpoint(
            performer_id="default/demo",
            revision=str(cluster.pods[name]["metadata"]["labels"][REVISION]),
            instance=name,
            address="10.0.0.1:9090",
            role=Role.IN_SERVICE,
        )
        for name in cluster.ready_pods()
        if name in cluster.serving_pods()
    ]


def explained(cluster: SimulatedCluster, revision: str = "") -> Explanation:
    return explain(cluster.observed(), endpoints(cluster), revision)


def first_stop(found: Explanation) -> tuple[str, str, str]:
    step = next(step for step in found.steps if step.state is not StepState.PASSED)
    return step.name, step.state.value, step.reason


def unseen() -> SimulatedCluster:
    return SimulatedCluster(performer_manifest())


def changed(**spec: Any) -> SimulatedCluster:
    cluster = settled()
    cluster.change_spec(**spec)
    cluster.settle()
    return cluster


def coming_up(**state: Any) -> SimulatedCluster:
    cluster = SimulatedCluster(performer_manifest())
    cluster.reconcile()
    cluster.sync_replica_sets()
    for pod in cluster.waiting_pods():
        cluster.pods[pod]["status"] = state
    cluster.reconcile()
    return cluster


def waiting(reason: str) -> SimulatedCluster:
    container = {"name": "performer", "restartCount": 4, "state": {"waiting": {"reason": reason}}}
    return coming_up(containerStatuses=[container])


def decided(action: str) -> SimulatedCluster:
    cluster = staged()
    decide(cluster, action)
    bring_up(cluster)
    return cluster


def deleted() -> SimulatedCluster:
    cluster = settled()
    cluster.performer["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return cluster


def no_slices() -> SimulatedCluster:
    cluster = settled()
    cluster.service = None
    for pod in cluster.pods.values():
        pod["metadata"]["labels"]["hourglass.eigenlayer.io/serving"] = "false"
    return cluster


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available",
}
CASES: list[tuple[Callable[[], SimulatedCluster], str, str, str, str]] = [
    (deleted, "Exists", "BLOCKED", "Deleting", "is being deleted"),
    (unseen, "Observed", "WAITING", "NotObserved", "hourglass check"),
    (lambda: changed(suspend=True), "Wanted", "BLOCKED", "Suspended", "resume demo -n prod"),
    (lambda: changed(replicas=0), "Wanted", "BLOCKED", "ScaledToZero", "scale demo"),
    (lambda: changed(fence=True), "Unfenced", "BLOCKED", "Fenced", "unfence demo"),
    (lambda: decided("Abort"), "Chosen", "BLOCKED", "Aborted", "promote demo"),
    (lambda: waiting("ImagePullBackOff"), "Ready", "BLOCKED", "ImagePullFailed", "ImagePull"),
    (lambda: waiting("CrashLoopBackOff"), "Ready", "BLOCKED", "CrashLooping", "kubectl logs"),
    (lambda: coming_up(), "Ready", "WAITING", "Starting", "0 of 1 instances"),
    (
        lambda: coming_up(conditions=[UNSCHEDULABLE]),
        "Ready",
        "WAITING",
        "Unschedulable",
        "0/3 nodes",
    ),
    (staged, "Promoted", "WAITING", "AwaitingPromotion", "promote demo"),
    (no_slices, "Addressable", "WAITING", "NoAddress", "kubectl get endpointslices"),
]


@pytest.mark.parametrize(("make", "name", "state", "reason", "words"), CASES)
def test_what_stands_in_the_way_is_named_with_what_to_do(
    make: Callable[[], SimulatedCluster], name: str, state: str, reason: str, words: str
) -> None:
    found = explained(make())
    assert first_stop(found) == (name, state, reason)
    assert not found.serving
    assert words in found.summary
    later = found.steps[[step.name for step in found.steps].index(name) + 1 :]
    for step in later:
        if step.state is StepState.SKIPPED:
            assert step.reason == "NotReached"
            assert step.message == f"looked at once {name} holds"


def test_what_serves_has_passed_every_step() -> None:
    cluster = settled(replicas=2)
    found = explained(cluster)
    assert found.serving
    assert {step.state for step in found.steps} == {StepState.PASSED}
    assert found.summary.endswith("takes tasks at 2 of 2 instances")
    assert [(each.role, each.serving) for each in found.instances] == [(Role.IN_SERVICE, True)] * 2


def test_the_revision_that_was_replaced_says_what_replaced_it() -> None:
    cluster = staged(rollout={"keepPreviousSeconds": 600})
    old = hash_of(cluster, "demo:1")
    decide(cluster, "Promote")
    bring_up(cluster)
    found = explained(cluster, old)
    assert found.revision == old
    assert first_stop(found)[:2] == ("Chosen", "BLOCKED")
    assert f"rollback demo -n prod --revision {old}" in found.summary
    assert explained(cluster).serving


def test_an_instance_that_is_not_ready_does_not_hide_those_that_are() -> None:
    cluster = settled(replicas=2)
    ill = cluster.ready_pods()[0]
    cluster.set_ready(ill, ready=False)
    cluster.reconcile()
    found = explained(cluster)
    assert found.serving
    by_name = {each.instance: each for each in found.instances}
    assert not by_name[ill].serving
    assert [step.state.value for step in by_name[ill].steps] == [
        "PASSED",
        "WAITING",
        "SKIPPED",
        "SKIPPED",
    ]


def test_a_revision_that_there_is_not_is_an_error_that_names_those_there_are() -> None:
    cluster = settled()
    with pytest.raises(HourglassError, match=hash_of(cluster, "demo:1")) as caught:
        explained(cluster, "nosuchrev")
    assert caught.value.reason == "REVISION_NOT_FOUND"
