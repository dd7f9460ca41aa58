"""Server-side apply: who owns which field, and what that means for the next apply."""

from typing import Any

import pytest
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    LEASES,
    PERFORMERS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)

from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests
from tests.support.kube_samples import (
    endpoint_slice,
    lease,
    performer,
    pod,
    pod_spec,
    replica_set,
    service,
)


def config_map(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "cm"}, "data": data}


def owners(manifest: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(manager, operation, subresource) to the fields it owns."""
    return {
        (e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"]
        for e in manifest["metadata"]["managedFields"]
    }


@covers("patch configmaps apply")
async def test_apply_creates_and_says_so_by_its_status(api: KubeRequests, space: str) -> None:
    first = await api.apply(CONFIG_MAPS, space, config_map(a="1"))
    assert first.status == 201
    again = await api.apply(CONFIG_MAPS, space, config_map(a="1"))
    assert again.status == 200
    assert again.version == first.version


async def test_a_field_that_the_next_apply_leaves_out_is_removed(
    api: KubeRequests, space: str
) -> None:
    await api.apply(CONFIG_MAPS, space, config_map(a="1", b="2"))
    await api.patch("merge", CONFIG_MAPS, space, "cm", {"data": {"c": "3"}})
    after = (await api.apply(CONFIG_MAPS, space, config_map(a="1"))).ok()
    assert after["data"] == {"a": "1", "c": "3"}


async def test_labels_and_annotations_are_applied_one_by_one(api: KubeRequests, space: str) -> None:
    def body(**labels: str) -> dict[str, Any]:
        return {"metadata": {"name": "cm", "labels": labels, "annotations": {"note": "x"}}}

    await api.apply(CONFIG_MAPS, space, body(a="1", b="2"), "one")
    await api.patch("merge", CONFIG_MAPS, space, "cm", {"metadata": {"labels": {"c": "3"}}})
    after = (await api.apply(CONFIG_MAPS, space, body(a="1"), "one")).ok()
    assert after["metadata"]["labels"] == {"a": "1", "c": "3"}
    refused = await api.apply(CONFIG_MAPS, space, body(c="4"), "two")
    assert ".metadata.labels.c" in refused.refused(409, "Conflict").causes
    bare = {"metadata": {"name": "cm"}}
    left = (await api.apply(CONFIG_MAPS, space, bare, "one")).ok()
    assert left["metadata"]["labels"] == {"c": "3"}
    assert "annotations" not in left["metadata"]


async def test_a_field_that_two_managers_own_stays_until_both_let_go(
    api: KubeRequests, space: str
) -> None:
    await api.apply(CONFIG_MAPS, space, config_map(a="1", shared="s"), "one")
    await api.apply(CONFIG_MAPS, space, config_map(shared="s"), "two")
    kept = (await api.apply(CONFIG_MAPS, space, config_map(a="1"), "one")).ok()
    assert kept["data"] == {"a": "1", "shared": "s"}
    gone = (await api.apply(CONFIG_MAPS, space, config_map(), "two")).ok()
    assert gone["data"] == {"a": "1"}


async def test_a_conflict_names_the_other_manager_and_force_takes_over(
    api: KubeRequests, space: str
) -> None:
    await api.apply(CONFIG_MAPS, space, config_map(a="1"), "one")
    refused = (await api.apply(CONFIG_MAPS, space, config_map(a="2"), "two")).refused(
        409, "Conflict"
    )
    assert '"one"' in refused.message
    assert ".data.a" in refused.causes
    assert refused.body["details"]["causes"][0]["reason"] == "FieldManagerConflict"
    taken = (await api.apply(CONFIG_MAPS, space, config_map(a="2"), "two", force="true")).ok()
    assert taken["data"] == {"a": "2"}
    back = await api.apply(CONFIG_MAPS, space, config_map(a="1"), "one")
    assert '"two"' in back.refused(409, "Conflict").message


async def test_an_update_owns_what_it_changes(api: KubeRequests, space: str) -> None:
    await api.apply(CONFIG_MAPS, space, config_map(a="1"), "one")
    patch = {"data": {"a": "2"}}
    changed = await api.patch("merge", CONFIG_MAPS, space, "cm", patch, fieldManager="editor")
    found = owners(changed.ok())
    assert found["editor", "Update", ""] == {"f:data": {"f:a": {}}}
    refused = await api.apply(CONFIG_MAPS, space, config_map(a="1"), "one")
    assert '"editor"' in refused.refused(409, "Conflict").message


async def test_managed_fields_have_the_shape_of_kubernetes(api: KubeRequests, space: str) -> None:
    made = (await api.apply(SERVICES, space, service(), "one")).ok()
    entry = made["metadata"]["managedFields"][0]
    assert set(entry) == {
        "manager",
        "operation",
        "apiVersion",
        "time",
        "fieldsType",
        "fieldsV1",
    }
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:ports": {'k:{"port":9090,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}},
            "f:selector": {},
        }
    }


@covers("patch services apply")
async def test_ports_of_a_service_are_applied_by_number(api: KubeRequests, space: str) -> None:
    await api.apply(SERVICES, space, service(), "one")
    other = {"metadata": {"name": "svc"}, "spec": {"ports": [{"name": "m", "port": 9091}]}}
    both = (await api.apply(SERVICES, space, other, "two")).ok()
    assert {port["port"] for port in both["spec"]["ports"]} == {9090, 9091}
    left = (await api.apply(SERVICES, space, {"metadata": {"name": "svc"}}, "two")).ok()
    assert {port["port"] for port in left["spec"]["ports"]} == {9090}


async def test_a_selector_is_applied_whole(api: KubeRequests, space: str) -> None:
    await api.apply(SERVICES, space, service(), "one")
    body = service()
    body["spec"]["selector"] = {"other": "x"}
    after = (await api.apply(SERVICES, space, body, "one")).ok()
    assert after["spec"]["selector"] == {"other": "x"}


@covers("patch replicasets.apps apply")
async def test_containers_and_their_environment_are_applied_by_name(
    api: KubeRequests, space: str
) -> None:
    body = replica_set()
    body["spec"]["template"]["spec"] = pod_spec(
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    )
    await api.apply(REPLICA_SETS, space, body, "one")
    part = {
        "metadata": {"name": "rs"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "performer", "env": [{"name": "C", "value": "3"}]}]
                }
            }
        },
    }
    both = (await api.apply(REPLICA_SETS, space, part, "two")).ok()
    (container,) = both["spec"]["template"]["spec"]["containers"]
    assert {e["name"] for e in container["env"]} == {"A", "B", "C"}
    body["spec"]["template"]["spec"] = pod_spec(env=[{"name": "B", "value": "2"}])
    after = (await api.apply(REPLICA_SETS, space, body, "one")).ok()
    (container,) = after["spec"]["template"]["spec"]["containers"]
    assert {e["name"] for e in container["env"]} == {"B", "C"}


@covers("patch performers.hourglass.eigenlayer.io apply")
async def test_a_custom_resource_is_applied_by_the_paths_of_its_schema(
    api: KubeRequests, space: str
) -> None:
    config = {"environment": {"A": "1", "B": "2"}, "args": ["x", "y"]}
    made = (await api.apply(PERFORMERS, space, performer(config=config), "one")).ok()
    assert made["metadata"]["generation"] == 1
    fields = owners(made)["one", "Apply", ""]
    assert fields["f:spec"]["f:config"] == {
        "f:args": {},
        "f:environment": {"f:A": {}, "f:B": {}},
    }
    config = {"environment": {"B": "2"}, "args": ["x"]}
    after = (await api.apply(PERFORMERS, space, performer(config=config), "one")).ok()
    assert after["spec"]["config"]["environment"] == {"B": "2"}
    assert after["spec"]["config"]["args"] == ["x"]
    assert after["metadata"]["generation"] == 2


def status(**conditions: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "perf"},
        "status": {
            "conditions": [
                {
                    "type": kind,
                    "status": value,
                    "reason": "Test",
                    "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
                for kind, value in conditions.items()
            ]
        },
    }


@covers("patch performers.hourglass.eigenlayer.io/status apply")
async def test_conditions_are_applied_by_type(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    await api.apply(PERFORMERS, space, status(Ready="True"), "one", "status")
    both = (await api.apply(PERFORMERS, space, status(Other="False"), "two", "status")).ok()
    assert {c["type"]: c["status"] for c in both["status"]["conditions"]} == {
        "Ready": "True",
        "Other": "False",
    }
    assert owners(both)["one", "Apply", "status"]["f:status"]["f:conditions"]
    after = (await api.apply(PERFORMERS, space, status(Ready="False"), "one", "status")).ok()
    assert {c["type"]: c["status"] for c in after["status"]["conditions"]} == {
        "Ready": "False",
        "Other": "False",
    }


async def test_apply_to_status_ignores_spec_and_makes_no_object(
    api: KubeRequests, space: str
) -> None:
    missing = await api.apply(PERFORMERS, space, status(Ready="True"), "one", "status")
    missing.refused(404, "NotFound")
    await api.create(PERFORMERS, space, performer())
    body = {**performer(image="other:1"), **status(Ready="True")}
    after = (await api.apply(PERFORMERS, space, body, "one", "status")).ok()
    assert after["spec"]["image"] == "demo:1"


@covers(
    "patch pods apply",
    "patch leases.coordination.k8s.io apply",
    "patch endpointslices.discovery.k8s.io apply",
)
@pytest.mark.parametrize(
    ("what", "body"), [(PODS, pod()), (LEASES, lease()), (ENDPOINT_SLICES, endpoint_slice())]
)
async def test_other_kinds_are_applied_too(
    api: KubeRequests, space: str, what: Resource, body: dict[str, Any]
) -> None:
    name = body["metadata"]["name"]
    (await api.apply(PODS, space, pod())).ok()
    (await api.apply(LEASES, space, lease())).ok()
    (await api.apply(ENDPOINT_SLICES, space, endpoint_slice())).ok()
    assert (await api.apply(what, space, body)).status == 200
    assert (await api.get(what, space, name)).ok()["metadata"]["name"] == name


async def test_apply_needs_a_field_manager_and_a_kind(api: KubeRequests, space: str) -> None:
    path = CONFIG_MAPS.path(space, "cm")
    body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map(a="1")}
    nobody = await api.call("PATCH", path, body, patch="apply")
    nobody.refused(422, "Invalid")
    untyped = await api.call(
        "PATCH", path, config_map(a="1"), patch="apply", fieldManager="contract"
    )
    untyped.refused(400, "BadRequest")


async def test_apply_refuses_managed_fields_and_holds_to_a_version(
    api: KubeRequests, space: str
) -> None:
    made = (await api.apply(CONFIG_MAPS, space, config_map(a="1"))).ok()
    (await api.apply(CONFIG_MAPS, space, {**made, "data": {"a": "2"}})).refused(400, "BadRequest")
    stale = config_map(a="2")
    stale["metadata"]["resourceVersion"] = "1"
    (await api.apply(CONFIG_MAPS, space, stale)).refused(409, "Conflict")
