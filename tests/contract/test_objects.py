"""Objects of every kind: made, read, changed and deleted, and what is refused."""

from datetime import datetime
from typing import Any

import pytest
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    PERFORMERS,
    PODS,
    SERVICES,
    Resource,
)

from tests.support.covers import covers
from tests.support.kube_requests import Answer, KubeRequests, eventually, request_name
from tests.support.kube_samples import NAMESPACED, performer, pod, sample, service

EVERY_KIND = [
    pytest.param(
        what,
        id=f"{what.plural}.{what.group}",
        marks=covers(
            *(
                f"{verb} {what.plural}{'.' if what.group else ''}{what.group}"
                for verb in ("create", "get", "list", "update", "delete", "watch")
            )
        ),
    )
    for what in NAMESPACED
]


def config_map(name: str = "cm", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


@pytest.mark.parametrize("what", EVERY_KIND)
async def test_an_object_of_every_kind_lives_from_create_to_delete(
    api: KubeRequests, space: str, what: Resource
) -> None:
    made = (await api.create(what, space, sample(what, space, "one"))).ok()
    assert made["kind"] == what.kind
    assert made["apiVersion"] == what.api_version
    assert made["metadata"]["namespace"] == space

    async def relabel() -> Answer:
        read = (await api.get(what, space, "one")).ok()
        assert read["metadata"]["uid"] == made["metadata"]["uid"]
        read["metadata"]["labels"] = {**(read["metadata"].get("labels") or {}), "changed": "yes"}
        return await api.replace(what, space, read)

    # A controller may write its status in between.
    written = (await eventually(relabel, lambda answer: answer.status != 409)).ok()
    assert written["metadata"]["labels"]["changed"] == "yes"
    listed = (await api.list(what, space, labelSelector="changed=yes")).ok()
    assert listed["kind"] == f"{what.kind}List"
    assert [item["metadata"]["name"] for item in listed["items"]] == ["one"]
    version = listed["metadata"]["resourceVersion"]
    query = {"resourceVersion": version, "fieldSelector": "metadata.name=one"}
    async with api.watch(what, space, timeoutSeconds="10", **query) as stream:
        deleted = await api.delete(what, space, "one", {"gracePeriodSeconds": 0})
        assert deleted.status == 200
        event = await stream.next()
    assert event["type"] in ("DELETED", "MODIFIED")
    await eventually(lambda: api.get(what, space, "one"), lambda answer: answer.status == 404)


@covers("create namespaces", "get namespaces", "list namespaces", "delete namespaces")
async def test_a_namespace_is_active_until_it_is_deleted(api: KubeRequests, space: str) -> None:
    read = (await api.get(NAMESPACES, None, space)).ok()
    assert read["status"]["phase"] == "Active"
    assert "namespace" not in read["metadata"]
    assert read["metadata"]["labels"]["kubernetes.io/metadata.name"] == space
    names = [n["metadata"]["name"] for n in (await api.list(NAMESPACES, None)).ok()["items"]]
    assert {space, "default", "kube-system"} <= set(names)
    await api.delete(NAMESPACES, None, space)
    await eventually(lambda: api.get(NAMESPACES, None, space), lambda a: a.status == 404)


async def test_the_server_sets_uid_times_generation_and_version(
    api: KubeRequests, space: str
) -> None:
    given = performer("one")
    given["metadata"] |= {"uid": "mine", "generation": 7, "creationTimestamp": None}
    first = (await api.create(PERFORMERS, space, given)).ok()["metadata"]
    second = (await api.create(PERFORMERS, space, performer("two"))).ok()["metadata"]
    assert len(first["uid"]) == 36
    assert first["uid"] != second["uid"]
    assert first["generation"] == 1
    assert datetime.fromisoformat(first["creationTimestamp"]).tzinfo is not None
    assert first["creationTimestamp"].endswith("Z")
    assert int(first["resourceVersion"]) < int(second["resourceVersion"])


async def test_generate_name_makes_a_name(api: KubeRequests, space: str) -> None:
    body = {"metadata": {"generateName": "cm-"}}
    names = {
        (await api.create(CONFIG_MAPS, space, body)).ok()["metadata"]["name"] for _ in range(3)
    }
    assert len(names) == 3
    assert all(name.startswith("cm-") and len(name) == 8 for name in names)


async def test_a_taken_name_is_already_exists_and_a_stale_version_is_a_conflict(
    api: KubeRequests, space: str
) -> None:
    first = (await api.create(CONFIG_MAPS, space, config_map(a="1"))).ok()
    taken = (await api.create(CONFIG_MAPS, space, config_map())).refused(409, "AlreadyExists")
    assert taken.message == 'configmaps "cm" already exists'
    assert taken.body["details"] == {"name": "cm", "kind": "configmaps"}
    (await api.replace(CONFIG_MAPS, space, {**first, "data": {"a": "2"}})).ok()
    stale = (await api.replace(CONFIG_MAPS, space, {**first, "data": {"a": "3"}})).refused(
        409, "Conflict"
    )
    assert "the object has been modified" in stale.message
    assert (await api.get(CONFIG_MAPS, space, "cm")).ok()["data"] == {"a": "2"}


async def test_a_replace_without_a_version_is_unconditional_for_built_in_kinds_only(
    api: KubeRequests, space: str
) -> None:
    await api.create(CONFIG_MAPS, space, config_map(a="1"))
    replaced = (await api.replace(CONFIG_MAPS, space, config_map(b="2"))).ok()
    assert replaced["data"] == {"b": "2"}
    await api.create(PERFORMERS, space, performer())
    refused = (await api.replace(PERFORMERS, space, performer())).refused(422, "Invalid")
    assert "metadata.resourceVersion" in refused.causes


async def test_a_replace_that_changes_nothing_keeps_the_version(
    api: KubeRequests, space: str
) -> None:
    first = (await api.create(CONFIG_MAPS, space, config_map(a="1"))).ok()
    again = (await api.replace(CONFIG_MAPS, space, first)).ok()
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_replace_with_another_uid_or_name_is_refused(api: KubeRequests, space: str) -> None:
    first = (await api.create(CONFIG_MAPS, space, config_map(a="1"))).ok()
    other = {**first, "metadata": {"name": "cm", "uid": "11111111-1111-1111-1111-111111111111"}}
    assert (await api.replace(CONFIG_MAPS, space, other)).status == 409
    path = CONFIG_MAPS.path(space, "cm")
    (await api.call("PUT", path, {**first, "metadata": {"name": "other"}})).refused(
        400, "BadRequest"
    )


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
async def test_a_delete_with_a_precondition_that_fails_is_a_conflict(
    api: KubeRequests, space: str, field: str
) -> None:
    made = (await api.create(PERFORMERS, space, performer())).ok()["metadata"]
    wrong = {"uid": "11111111-1111-1111-1111-111111111111", "resourceVersion": "1"}
    refused = await api.delete(PERFORMERS, space, "perf", {"preconditions": {field: wrong[field]}})
    refused.refused(409, "Conflict")
    right = {"preconditions": {"uid": made["uid"], "resourceVersion": made["resourceVersion"]}}
    (await api.delete(PERFORMERS, space, "perf", right)).ok()
    (await api.get(PERFORMERS, space, "perf")).refused(404, "NotFound")


async def test_deleting_answers_with_a_status_that_names_the_object(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(PERFORMERS, space, performer())).ok()["metadata"]
    answer = (await api.delete(PERFORMERS, space, "perf")).ok()
    assert answer["kind"] == "Status"
    assert answer["status"] == "Success"
    assert answer["details"] == {
        "name": "perf",
        "group": "hourglass.eigenlayer.io",
        "kind": "performers",
        "uid": made["uid"],
    }


async def test_a_finalizer_holds_an_object_until_it_is_taken_away(
    api: KubeRequests, space: str
) -> None:
    body = performer()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await api.create(PERFORMERS, space, body)
    await api.delete(PERFORMERS, space, "perf")
    held = (await api.get(PERFORMERS, space, "perf")).ok()
    assert held["metadata"]["deletionTimestamp"]
    await api.patch("merge", PERFORMERS, space, "perf", {"metadata": {"finalizers": None}})
    (await api.get(PERFORMERS, space, "perf")).refused(404, "NotFound")


@covers("deletecollection configmaps")
async def test_a_collection_is_deleted_by_selector(api: KubeRequests, space: str) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        body = {"metadata": {"name": name, "labels": {"l": label}}}
        (await api.create(CONFIG_MAPS, space, body)).ok()
    (await api.call("DELETE", CONFIG_MAPS.path(space), labelSelector="l=x")).ok()
    rest = (await api.list(CONFIG_MAPS, space, labelSelector="l")).ok()["items"]
    assert [item["metadata"]["name"] for item in rest] == ["c"]


async def test_a_dry_run_answers_as_if_and_writes_nothing(api: KubeRequests, space: str) -> None:
    made = (await api.create(PERFORMERS, space, performer(), dryRun="All")).ok()
    assert made["metadata"]["uid"]
    (await api.get(PERFORMERS, space, "perf")).refused(404, "NotFound")
    real = (await api.create(PERFORMERS, space, performer())).ok()
    patch = {"spec": {"image": "demo:2"}}
    shown = (await api.patch("merge", PERFORMERS, space, "perf", patch, dryRun="All")).ok()
    assert shown["spec"]["image"] == "demo:2"
    applied = await api.apply(
        PERFORMERS, space, performer(image="demo:3"), dryRun="All", force="true"
    )
    assert applied.ok()["spec"]["image"] == "demo:3"
    (await api.call("DELETE", PERFORMERS.path(space, "perf"), dryRun="All")).ok()
    kept = (await api.get(PERFORMERS, space, "perf")).ok()
    assert kept["metadata"]["resourceVersion"] == real["metadata"]["resourceVersion"]


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "sp ace"])
async def test_a_bad_name_is_invalid(api: KubeRequests, space: str, name: str) -> None:
    refused = (await api.create(CONFIG_MAPS, space, config_map(name))).refused(422, "Invalid")
    assert "metadata.name" in refused.causes


async def test_a_service_needs_a_dns_label_and_a_namespace_that_exists(
    api: KubeRequests, space: str
) -> None:
    for name in ("Upper", "a" * 64, "dotted.name"):
        refused = (await api.create(SERVICES, space, service(name))).refused(422, "Invalid")
        assert "metadata.name" in refused.causes
    missing = await api.create(CONFIG_MAPS, f"{space}-none", config_map())
    assert missing.refused(404, "NotFound").message == f'namespaces "{space}-none" not found'


async def test_bad_labels_are_invalid(api: KubeRequests, space: str) -> None:
    body = {"metadata": {"name": "cm", "labels": {"ok": "not ok!"}}}
    refused = (await api.create(CONFIG_MAPS, space, body)).refused(422, "Invalid")
    assert "metadata.labels" in refused.causes


async def test_a_pod_without_containers_is_invalid(api: KubeRequests, space: str) -> None:
    body = {"metadata": {"name": "pod"}, "spec": {"containers": []}}
    refused = (await api.create(PODS, space, body)).refused(422, "Invalid")
    assert "spec.containers" in refused.causes


async def test_a_pod_image_may_change_and_its_command_may_not(
    api: KubeRequests, space: str
) -> None:
    (await api.create(PODS, space, pod())).ok()
    image = {"spec": {"containers": [{"name": "performer", "image": "demo:2"}]}}
    (await api.patch("strategic", PODS, space, "pod", image)).ok()
    command = {"spec": {"containers": [{"name": "performer", "command": ["other"]}]}}
    (await api.patch("strategic", PODS, space, "pod", command)).refused(422, "Invalid")


async def test_defaults_of_built_in_kinds_are_filled_in(api: KubeRequests, space: str) -> None:
    made = (await api.create(PODS, space, pod())).ok()
    assert made["spec"]["restartPolicy"] == "Always"
    assert made["spec"]["terminationGracePeriodSeconds"] == 30
    assert made["status"]["phase"] == "Pending"
    port = (await api.create(SERVICES, space, service())).ok()["spec"]
    assert port["type"] == "ClusterIP"
    assert port["ports"][0]["protocol"] == "TCP"
    assert port["ports"][0]["targetPort"] == 9090


async def test_unknown_things_are_refused_by_kind(api: KubeRequests, space: str) -> None:
    base = f"/api/v1/namespaces/{space}"
    assert (await api.call("GET", f"{base}/nonsenses")).status == 404
    assert (await api.call("GET", "/apis/nonsense.example/v1/things")).status == 404
    missing = (await api.get(CONFIG_MAPS, space, "none")).refused(404, "NotFound")
    assert missing.message == 'configmaps "none" not found'
    assert missing.body["kind"] == "Status"
    assert missing.body["status"] == "Failure"
    assert missing.body["code"] == 404
    assert (await api.call("POST", f"{base}/configmaps/cm", config_map())).status == 405
    assert (await api.call("PUT", f"{base}/configmaps", config_map())).status == 405


async def test_a_body_that_can_not_be_read_is_refused(api: KubeRequests, space: str) -> None:
    path = CONFIG_MAPS.path(space)
    (await api.call("POST", path, b"{not json")).refused(400, "BadRequest")
    wrong_kind = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}
    (await api.call("POST", path, wrong_kind)).refused(400, "BadRequest")
    typed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    other_place = {**typed, "metadata": {"name": "x", "namespace": "elsewhere"}}
    (await api.call("POST", path, other_place)).refused(400, "BadRequest")
    xml = await api.call("POST", path, b"<x/>", content_type="application/xml")
    xml.refused(415, "UnsupportedMediaType")
    await api.create(CONFIG_MAPS, space, config_map())
    patch = await api.call("PATCH", f"{path}/cm", b"{}", content_type="text/plain")
    assert patch.status == 415


async def test_a_caller_without_a_known_token_is_unauthorized(api: KubeRequests) -> None:
    api.token = "nobody"
    (await api.call("GET", "/api/v1/namespaces")).refused(401, "Unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "query", "name"),
    [
        ("GET", "/api/v1/namespaces/x/pods", {}, "list pods"),
        ("GET", "/api/v1/namespaces/x", {}, "get namespaces"),
        ("GET", "/api/v1/pods", {"watch": "true"}, "watch pods"),
        ("GET", "/api/v1/namespaces/x/pods/p/log", {}, "get pods/log"),
        ("PATCH", "/apis/apps/v1/namespaces/x/replicasets/r", {}, "patch replicasets.apps apply"),
        ("GET", "/openapi/v3", {}, "get /openapi/v3"),
        ("GET", "/apis/apps/v1", {}, "get /apis/apps/v1"),
    ],
)
def test_requests_are_named_as_an_audit_log_names_them(
    method: str, path: str, query: dict[str, str], name: str
) -> None:
    assert request_name(method, path, query, "apply" if method == "PATCH" else "") == name
