"""What ``metadata.managedFields`` tells of each kind of write, and what /scale makes of it."""

from typing import Any

import pytest
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    NETWORK_POLICIES,
    PERFORMERS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)

from tests.support.covers import covers
from tests.support.kube_requests import Answer, KubeRequests, typed
from tests.support.kube_samples import network_policy, performer, replica_set, service

REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}


def owners(manifest: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(manager, operation, subresource) to the fields it owns, without the dots.

    A dot stands for a map itself; who owns it says nothing that a program could use.
    """
    return {
        (e["manager"], e["operation"], e.get("subresource", "")): without_dots(e["fieldsV1"])
        for e in manifest["metadata"].get("managedFields") or ()
    }


def without_dots(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: without_dots(below) for key, below in fields.items() if key != "."}


CREATED = [
    pytest.param(what, body, path, id=what.plural, marks=covers(f"create {name}"))
    for what, body, path, name in (
        (SERVICES, service(), ["f:spec", "f:selector"], "services"),
        (REPLICA_SETS, replica_set(), ["f:metadata", "f:labels", "f:app"], "replicasets.apps"),
        (
            NETWORK_POLICIES,
            network_policy(),
            ["f:spec", "f:podSelector"],
            "networkpolicies.networking.k8s.io",
        ),
        (
            PERFORMERS,
            performer(),
            ["f:spec", "f:image"],
            "performers.hourglass.eigenlayer.io",
        ),
    )
]


@pytest.mark.parametrize(("what", "body", "path"), CREATED)
async def test_the_creator_of_an_object_owns_all_but_its_status(
    api: KubeRequests, space: str, what: Resource, body: dict[str, Any], path: list[str]
) -> None:
    made = (await api.create(what, space, body, fieldManager="operator")).ok()
    ((who, fields),) = owners(made).items()
    assert who == ("operator", "Update", "")
    assert "f:status" not in fields
    for part in path:
        fields = fields[part]
    (entry,) = made["metadata"]["managedFields"]
    assert entry["apiVersion"] == what.api_version
    name = made["metadata"]["name"]
    other = typed(what, {"metadata": {"name": name, "labels": {"other": "x"}}})
    applied = (await api.apply(what, space, other, "other")).ok()
    assert owners(applied)["other", "Apply", ""] == {"f:metadata": {"f:labels": {"f:other": {}}}}


async def test_without_a_name_the_writer_is_named_by_its_agent(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(SERVICES, space, service())).ok()
    assert list(owners(made)) == [("hourglass-contract-test", "Update", "")]


async def test_writers_of_status_and_spec_own_apart(api: KubeRequests, space: str) -> None:
    made = (await api.create(PERFORMERS, space, performer(), fieldManager="operator")).ok()
    meta = {key: made["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
    body = typed(PERFORMERS, {"metadata": meta, "status": {"phase": "Running"}})
    put = await api.replace(PERFORMERS, space, body, "status", fieldManager="operator")
    found = owners(put.ok())
    assert found["operator", "Update", "status"] == {"f:status": {"f:phase": {}}}
    assert set(found["operator", "Update", ""]) == {"f:spec"}
    patch = {"status": {"replicas": 1}}
    patched = await api.patch(
        "merge", PERFORMERS, space, "perf", patch, "status", fieldManager="other"
    )
    assert owners(patched.ok())["other", "Update", "status"] == {"f:status": {"f:replicas": {}}}
    applied = {"metadata": {"name": "perf"}, "status": {"phase": "Failed"}}
    refused = await api.apply(PERFORMERS, space, applied, "third", "status")
    assert '"operator" with subresource "status"' in refused.refused(409, "Conflict").message


@covers("patch performers.hourglass.eigenlayer.io/scale merge")
async def test_who_scales_owns_the_replicas_if_somebody_did(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer("one", replicas=1), fieldManager="creator")
    scale = {"spec": {"replicas": 3}}
    await api.patch("merge", PERFORMERS, space, "one", scale, "scale", fieldManager="scaler")
    scaled = (await api.get(PERFORMERS, space, "one")).ok()
    found = owners(scaled)
    assert found["scaler", "Update", "scale"] == REPLICAS
    assert "f:replicas" not in found["creator", "Update", ""]["f:spec"]
    refused = await api.apply(PERFORMERS, space, performer("one", replicas=1), "gitops")
    conflict = refused.refused(409, "Conflict")
    assert 'conflict with "scaler" with subresource "scale"' in conflict.message
    left_out = (await api.apply(PERFORMERS, space, performer("one"), "gitops")).ok()
    assert left_out["spec"]["replicas"] == 3


async def test_a_default_that_nobody_applied_stays_unowned_when_it_is_scaled(
    api: KubeRequests, space: str
) -> None:
    await api.apply(PERFORMERS, space, performer(), "gitops")
    scale = {"spec": {"replicas": 3}}
    await api.patch("merge", PERFORMERS, space, "perf", scale, "scale", fieldManager="scaler")
    scaled = (await api.get(PERFORMERS, space, "perf")).ok()
    assert list(owners(scaled)) == [("gitops", "Apply", "")]
    again = (await api.apply(PERFORMERS, space, performer(), "gitops")).ok()
    assert again["spec"]["replicas"] == 3
    written = (await api.apply(PERFORMERS, space, performer(replicas=1), "gitops")).ok()
    assert written["spec"]["replicas"] == 1


@covers("patch performers.hourglass.eigenlayer.io/scale apply")
async def test_the_scale_of_a_custom_resource_can_not_be_applied(
    api: KubeRequests, space: str
) -> None:
    """Kubernetes can not convert it: programs use a merge patch."""

    async def scale(name: str, **query: str) -> Answer:
        path = PERFORMERS.path(space, name, "scale")
        body = scale_body(space, name, 4)
        return await api.call("PATCH", path, body, patch="apply", fieldManager="scaler", **query)

    await api.apply(PERFORMERS, space, performer("bare"), "gitops")
    await api.patch("merge", PERFORMERS, space, "bare", {"spec": {"replicas": 1}}, "scale")
    await api.create(PERFORMERS, space, performer("owned", replicas=1), fieldManager="creator")
    for refused in (
        await scale("bare"),
        await scale("bare", force="true"),
        await scale("owned", force="true"),
    ):
        assert refused.status == 500
        assert "request to convert CR" in refused.message
    for name in ("bare", "owned"):
        assert (await api.get(PERFORMERS, space, name)).ok()["spec"]["replicas"] == 1
    (await scale("none")).refused(404, "NotFound")


def scale_body(space: str, name: str, replicas: int) -> dict[str, Any]:
    meta = {"name": name, "namespace": space}
    spec = {"replicas": replicas}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": spec}


@covers("patch replicasets.apps/scale apply", "patch replicasets.apps/scale merge")
async def test_the_scale_of_a_replica_set_is_applied_and_defended(
    api: KubeRequests, space: str
) -> None:
    await api.create(REPLICA_SETS, space, replica_set(app="none"), fieldManager="creator")
    path = REPLICA_SETS.path(space, "rs", "scale")

    async def apply(manager: str, replicas: int, **query: str) -> Any:
        body = scale_body(space, "rs", replicas)
        return await api.call("PATCH", path, body, patch="apply", fieldManager=manager, **query)

    patch = {"spec": {"replicas": 1}}
    await api.patch("merge", REPLICA_SETS, space, "rs", patch, "scale", fieldManager="scaler")
    found = owners((await api.get(REPLICA_SETS, space, "rs")).ok())
    assert found["scaler", "Update", "scale"] == REPLICAS
    refused = (await apply("applier", 0)).refused(409, "Conflict")
    assert '"scaler" with subresource "scale" using autoscaling/v1' in refused.message
    applied = (await apply("applier", 0, force="true")).ok()
    assert (applied["kind"], applied["spec"]) == ("Scale", {})
    found = owners((await api.get(REPLICA_SETS, space, "rs")).ok())
    assert found["applier", "Apply", "scale"] == REPLICAS
    assert ("scaler", "Update", "scale") not in found


@covers(
    "get performers.hourglass.eigenlayer.io/scale",
    "update performers.hourglass.eigenlayer.io/scale",
    "patch performers.hourglass.eigenlayer.io/scale merge",
)
async def test_a_scale_of_nothing_written_can_be_set_and_not_be_read(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(PERFORMERS, space, performer())).ok()
    unread = await api.get(PERFORMERS, space, "perf", "scale")
    assert unread.status == 500
    assert "does not exist" in unread.message
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}}
    refused = await api.patch("merge", PERFORMERS, space, "perf", stale, "scale")
    refused.refused(409, "Conflict")
    over = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    body = {**over, "spec": {"replicas": 2}}
    scaled = (await api.patch("merge", PERFORMERS, space, "perf", body, "scale")).ok()
    assert scaled["spec"] == {"replicas": 2}
    assert scaled["status"] == {"replicas": 0}
    unset = {"spec": {"replicas": None}}
    back = (await api.patch("merge", PERFORMERS, space, "perf", unset)).ok()
    assert "replicas" not in back["spec"]
    put = (await api.replace(PERFORMERS, space, scale_body(space, "perf", 5), "scale")).ok()
    assert put["spec"] == {"replicas": 5}
    zero = (await api.replace(PERFORMERS, space, scale_body(space, "perf", 0), "scale")).ok()
    assert zero["spec"] == {}
    assert (await api.get(PERFORMERS, space, "perf")).ok()["spec"]["replicas"] == 0


async def test_what_nobody_owns_has_owners_again_with_the_first_apply(
    api: KubeRequests, space: str
) -> None:
    await api.create(CONFIG_MAPS, space, {"metadata": {"name": "cm"}, "data": {"a": "1"}})
    forget: dict[str, Any] = {"metadata": {"managedFields": [{}]}}
    forgotten = (await api.patch("merge", CONFIG_MAPS, space, "cm", forget)).ok()
    assert owners(forgotten) == {}
    changed = await api.patch("merge", CONFIG_MAPS, space, "cm", {"data": {"b": "2"}})
    assert owners(changed.ok()) == {}
    refused = await api.apply(CONFIG_MAPS, space, {"metadata": {"name": "cm"}, "data": {"a": "2"}})
    assert '"before-first-apply" using v1' in refused.refused(409, "Conflict").message
    body = {"metadata": {"name": "cm"}, "data": {"c": "3"}}
    applied = (await api.apply(CONFIG_MAPS, space, body, "one")).ok()
    assert owners(applied) == {
        ("one", "Apply", ""): {"f:data": {"f:c": {}}},
        ("before-first-apply", "Update", ""): {"f:data": {"f:a": {}, "f:b": {}}},
    }
