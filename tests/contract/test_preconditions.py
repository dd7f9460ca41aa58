"""Writes that hold only over what they were planned from, and writes of one part alone."""

from typing import Any

import pytest
from hourglass_common.kube.resources import (
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)

from tests.support.covers import covers
from tests.support.kube_requests import Answer, KubeRequests, eventually, typed
from tests.support.kube_samples import performer, pod, replica_set, sample

ANOTHER_UID = "11111111-1111-1111-1111-111111111111"
COST = "controller.kubernetes.io/pod-deletion-cost"


def status_alone(made: dict[str, Any], phase: str, **meta: Any) -> dict[str, Any]:
    """What the operator writes: which object, over which version, and its status."""
    named = {key: made["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
    return typed(PERFORMERS, {"metadata": {**named, **meta}, "status": {"phase": phase}})


@covers("update performers.hourglass.eigenlayer.io/status")
async def test_a_status_is_replaced_without_its_spec(api: KubeRequests, space: str) -> None:
    body = performer(replicas=3, version="v1")
    body["metadata"]["labels"] = {"app": "x"}
    made = (await api.create(PERFORMERS, space, body)).ok()
    put = (await api.replace(PERFORMERS, space, status_alone(made, "Running"), "status")).ok()
    assert put["spec"] == made["spec"]
    assert put["status"] == {"phase": "Running"}
    assert put["metadata"]["labels"] == {"app": "x"}
    assert put["metadata"]["generation"] == 1
    assert put["metadata"]["uid"] == made["metadata"]["uid"]
    gone = typed(PERFORMERS, {"metadata": status_alone(put, "")["metadata"]})
    emptied = (await api.replace(PERFORMERS, space, gone, "status")).ok()
    assert emptied["status"] == {"observedGeneration": -1}
    assert emptied["spec"] == made["spec"]


async def test_a_status_is_replaced_only_over_the_version_and_object_it_names(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(PERFORMERS, space, performer())).ok()
    other = status_alone(made, "Failed", uid=ANOTHER_UID)
    (await api.replace(PERFORMERS, space, other, "status")).refused(409, "Conflict")
    right = status_alone(made, "Running", uid=made["metadata"]["uid"])
    written = (await api.replace(PERFORMERS, space, right, "status")).ok()
    stale = status_alone(made, "Failed")
    (await api.replace(PERFORMERS, space, stale, "status")).refused(409, "Conflict")
    unconditional = status_alone(made, "Failed", resourceVersion="")
    refused = await api.replace(PERFORMERS, space, unconditional, "status")
    assert "metadata.resourceVersion" in refused.refused(422, "Invalid").causes
    same = await api.replace(PERFORMERS, space, status_alone(written, "Running"), "status")
    assert same.version == written["metadata"]["resourceVersion"]
    await api.delete(PERFORMERS, space, "perf")
    absent = await api.replace(PERFORMERS, space, status_alone(written, "Failed"), "status")
    absent.refused(404, "NotFound")


@pytest.mark.parametrize("missing", ["kind", "apiVersion"])
async def test_a_custom_resource_must_say_what_it_is(
    api: KubeRequests, space: str, missing: str
) -> None:
    body = typed(PERFORMERS, performer())
    del body[missing]
    (await api.call("POST", PERFORMERS.path(space), body)).refused(400, "BadRequest")
    made = (await api.create(PERFORMERS, space, performer())).ok()
    status = status_alone(made, "Running")
    del status[missing]
    path = PERFORMERS.path(space, "perf", "status")
    (await api.call("PUT", path, status)).refused(400, "BadRequest")
    built_in = typed(PODS, pod())
    del built_in[missing]
    assert (await api.call("POST", PODS.path(space), built_in)).ok()["kind"] == "Pod"


@covers("update performers.hourglass.eigenlayer.io")
async def test_a_replaced_performer_is_what_the_manifest_says(
    api: KubeRequests, space: str
) -> None:
    """As ``kubectl replace`` does; the status stays, and so does what the server sets."""
    first = performer(replicas=2, version="v1")
    first["metadata"] |= {"labels": {"a": "1"}, "annotations": {"b": "2"}}
    made = (await api.create(PERFORMERS, space, first)).ok()
    written = (await api.replace(PERFORMERS, space, status_alone(made, "Running"), "status")).ok()
    second = performer(image="demo:2")
    second["metadata"] |= {
        "namespace": space,
        "resourceVersion": written["metadata"]["resourceVersion"],
        "labels": {"c": "3"},
    }
    replaced = (await api.replace(PERFORMERS, space, second)).ok()
    assert replaced["spec"]["image"] == "demo:2"
    assert "replicas" not in replaced["spec"]
    assert "version" not in replaced["spec"]
    assert replaced["metadata"]["labels"] == {"c": "3"}
    assert "annotations" not in replaced["metadata"]
    assert replaced["status"] == {"phase": "Running"}
    assert replaced["metadata"]["generation"] == 2
    for field in ("uid", "creationTimestamp"):
        assert replaced["metadata"][field] == made["metadata"][field]
    (await api.replace(PERFORMERS, space, second)).refused(409, "Conflict")


@covers("create replicasets.apps", "patch replicasets.apps merge")
async def test_an_annotation_is_written_over_the_version_it_was_planned_from(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(REPLICA_SETS, space, replica_set(), fieldManager="operator")).ok()
    stale = {"resourceVersion": made["metadata"]["resourceVersion"]}
    one = {"metadata": {"annotations": {"role": "InService"}}}
    (await api.patch("merge", REPLICA_SETS, space, "rs", one)).ok()
    two = {"metadata": {**stale, "annotations": {"role": "Retired"}}}
    refused = await api.patch("merge", REPLICA_SETS, space, "rs", two)
    assert "the object has been modified" in refused.refused(409, "Conflict").message

    async def write() -> Answer:
        # The controller writes a status in between.
        read = (await api.get(REPLICA_SETS, space, "rs")).ok()
        now = {"resourceVersion": read["metadata"]["resourceVersion"]}
        body = {"metadata": {**now, "annotations": {"role": "Draining"}}}
        return await api.patch("merge", REPLICA_SETS, space, "rs", body)

    patched = (await eventually(write, lambda answer: answer.status != 409)).ok()
    assert patched["metadata"]["annotations"] == {"role": "Draining"}
    assert patched["metadata"]["generation"] == 1
    other = {"metadata": {"uid": ANOTHER_UID, "annotations": {"role": "None"}}}
    refused = await api.patch("merge", REPLICA_SETS, space, "rs", other)
    assert "metadata.uid" in refused.refused(422, "Invalid").causes


@covers("patch pods merge")
async def test_a_pod_is_taken_out_and_marked_as_cheap_in_one_patch(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(PODS, space, pod(app="x", serving="true"))).ok()
    over = {"resourceVersion": made["metadata"]["resourceVersion"]}
    patch = {
        "metadata": {**over, "labels": {"serving": None}, "annotations": {COST: "-1000"}},
    }
    patched = (await api.patch("merge", PODS, space, "pod", patch)).ok()
    assert patched["metadata"]["labels"] == {"app": "x"}
    assert patched["metadata"]["annotations"] == {COST: "-1000"}
    assert patched["metadata"]["generation"] == made["metadata"]["generation"]
    (await api.patch("merge", PODS, space, "pod", patch)).refused(409, "Conflict")
    back = {"metadata": {"labels": {"serving": "true"}, "annotations": {COST: None}}}
    restored = (await api.patch("merge", PODS, space, "pod", back)).ok()
    assert restored["metadata"]["labels"] == {"app": "x", "serving": "true"}
    assert "annotations" not in restored["metadata"]


@pytest.mark.parametrize("cost", ["cheap", "1.5", "99999999999"])
async def test_a_deletion_cost_that_is_no_number_is_invalid(
    api: KubeRequests, space: str, cost: str
) -> None:
    await api.create(PODS, space, pod())
    patch = {"metadata": {"annotations": {COST: cost}}}
    refused = await api.patch("merge", PODS, space, "pod", patch)
    assert f"metadata.annotations[{COST}]" in refused.refused(422, "Invalid").causes


DELETED = [
    pytest.param(
        what,
        id=what.plural,
        marks=covers(f"delete {what.plural}{'.' if what.group else ''}{what.group}"),
    )
    for what in (REPLICA_SETS, SERVICES, PODS, NETWORK_POLICIES, POD_DISRUPTION_BUDGETS)
]


@pytest.mark.parametrize("what", DELETED)
async def test_a_delete_holds_only_over_the_object_and_version_it_names(
    api: KubeRequests, space: str, what: Resource
) -> None:
    made = (await api.create(what, space, sample(what, space, "one"))).ok()["metadata"]
    uid, version = made["uid"], made["resourceVersion"]
    label = {"metadata": {"labels": {"changed": "yes"}}}
    (await api.patch("merge", what, space, "one", label)).ok()
    for wrong in (
        {"uid": ANOTHER_UID},
        {"uid": uid, "resourceVersion": version},
        {"resourceVersion": version},
    ):
        refused = await api.delete(what, space, "one", {"preconditions": wrong})
        assert "in the precondition" in refused.refused(409, "Conflict").message
        assert refused.body["details"]["kind"] == what.kind

    async def delete() -> Answer:
        now = (await api.get(what, space, "one")).version
        right = {"uid": uid, "resourceVersion": now}
        options = {"preconditions": right, "gracePeriodSeconds": 0}
        return await api.delete(what, space, "one", options)

    assert (await eventually(delete, lambda answer: answer.status != 409)).status == 200
    await eventually(lambda: api.get(what, space, "one"), lambda answer: answer.status == 404)
