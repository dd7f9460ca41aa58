"""Merge, JSON and strategic merge patches."""

import pytest
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    CORE_EVENTS,
    EVENTS,
    LEASES,
    PERFORMERS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
)

from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests
from tests.support.kube_samples import (
    core_event,
    event,
    lease,
    performer,
    pod,
    pod_spec,
    replica_set,
    service,
)


@covers("patch performers.hourglass.eigenlayer.io merge")
async def test_a_merge_patch_sets_and_null_deletes(api: KubeRequests, space: str) -> None:
    made = performer(version="v1")
    made["metadata"]["annotations"] = {"a": "1", "b": "2"}
    (await api.create(PERFORMERS, space, made)).ok()
    patch = {
        "metadata": {"annotations": {"a": None, "c": "3"}},
        "spec": {"version": None, "image": "demo:2"},
    }
    patched = (await api.patch("merge", PERFORMERS, space, "perf", patch)).ok()
    assert patched["metadata"]["annotations"] == {"b": "2", "c": "3"}
    assert patched["spec"]["image"] == "demo:2"
    assert "version" not in patched["spec"]


@covers("patch configmaps merge")
async def test_a_merge_patch_holds_only_over_the_version_it_names(
    api: KubeRequests, space: str
) -> None:
    body = {"metadata": {"name": "cm"}, "data": {"a": "1"}}
    version = (await api.create(CONFIG_MAPS, space, body)).version
    patch = {"metadata": {"resourceVersion": version}, "data": {"a": "2"}}
    (await api.patch("merge", CONFIG_MAPS, space, "cm", patch)).ok()
    (await api.patch("merge", CONFIG_MAPS, space, "cm", patch)).refused(409, "Conflict")
    (await api.patch("merge", CONFIG_MAPS, space, "none", {})).refused(404, "NotFound")


@covers("patch services merge")
async def test_a_merge_patch_replaces_lists_whole(api: KubeRequests, space: str) -> None:
    await api.create(SERVICES, space, service())
    patch = {"spec": {"ports": [{"name": "other", "port": 1}]}}
    ports = (await api.patch("merge", SERVICES, space, "svc", patch)).ok()["spec"]["ports"]
    assert [port["name"] for port in ports] == ["other"]


async def test_a_patch_that_changes_nothing_keeps_the_version(
    api: KubeRequests, space: str
) -> None:
    await api.create(PERFORMERS, space, performer())
    written = {"status": {"observedGeneration": 1}}
    version = (await api.patch("merge", PERFORMERS, space, "perf", written, "status")).version
    same = await api.patch("merge", PERFORMERS, space, "perf", {"spec": {"image": "demo:1"}})
    assert same.version == version


ANOTHER_UID = "11111111-1111-1111-1111-111111111111"


async def test_another_uid_is_refused_in_a_patch(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    patch = {"metadata": {"uid": ANOTHER_UID}}
    refused = await api.patch("merge", PERFORMERS, space, "perf", patch)
    assert "metadata.uid" in refused.refused(422, "Invalid").causes


async def test_a_status_patch_ignores_a_uid_and_a_status_replace_does_not(
    api: KubeRequests, space: str
) -> None:
    """Only a replace, or a resourceVersion, keeps a status from a recreated object."""
    made = (await api.create(PERFORMERS, space, performer())).ok()
    patch = {"metadata": {"uid": ANOTHER_UID}, "status": {"phase": "Failed"}}
    patched = await api.patch("merge", PERFORMERS, space, "perf", patch, "status")
    assert patched.ok()["metadata"]["uid"] == made["metadata"]["uid"]
    body = {**patched.body, "metadata": {**patched.body["metadata"], "uid": ANOTHER_UID}}
    (await api.replace(PERFORMERS, space, body, "status")).refused(409, "Conflict")
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "status": {}}
    refused = await api.patch("merge", PERFORMERS, space, "perf", stale, "status")
    refused.refused(409, "Conflict")


async def test_an_applied_status_ignores_a_uid_and_holds_to_a_version(
    api: KubeRequests, space: str
) -> None:
    version = (await api.create(PERFORMERS, space, performer())).version
    body = {"metadata": {"name": "perf", "uid": ANOTHER_UID}, "status": {"phase": "Failed"}}
    assert (await api.apply(PERFORMERS, space, body, "one", "status")).status == 200
    body["metadata"] = {"name": "perf", "resourceVersion": version}
    (await api.apply(PERFORMERS, space, body, "one", "status")).refused(409, "Conflict")


@covers("patch pods json")
async def test_a_json_patch_is_all_or_nothing(api: KubeRequests, space: str) -> None:
    await api.create(PODS, space, pod(app="x"))
    good = [
        {"op": "test", "path": "/metadata/labels/app", "value": "x"},
        {"op": "replace", "path": "/metadata/labels/app", "value": "y"},
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "z"},
    ]
    patched = (await api.patch("json", PODS, space, "pod", good)).ok()
    assert patched["metadata"]["labels"] == {"app": "y", "a/b": "z"}
    bad = [{"op": "remove", "path": "/metadata/labels/app"}, *good[:1]]
    (await api.patch("json", PODS, space, "pod", bad)).refused(422, "Invalid")
    kept = (await api.get(PODS, space, "pod")).ok()
    assert kept["metadata"]["labels"] == {"app": "y", "a/b": "z"}


@covers("patch performers.hourglass.eigenlayer.io json")
async def test_a_json_patch_of_a_custom_resource(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    operations = [{"op": "add", "path": "/spec/replicas", "value": 3}]
    patched = (await api.patch("json", PERFORMERS, space, "perf", operations)).ok()
    assert patched["spec"]["replicas"] == 3
    assert patched["metadata"]["generation"] == 2


@covers("patch replicasets.apps strategic")
async def test_a_strategic_patch_merges_containers_by_name(api: KubeRequests, space: str) -> None:
    body = replica_set()
    body["spec"]["template"]["spec"] = pod_spec(
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    )
    await api.create(REPLICA_SETS, space, body)
    container = {
        "name": "performer",
        "env": [{"name": "B", "value": "3"}, {"name": "A", "$patch": "delete"}],
    }
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        container,
                        {
                            "name": "side",
                            "image": "side:1",
                        },
                    ]
                }
            }
        }
    }
    patched = (await api.patch("strategic", REPLICA_SETS, space, "rs", patch)).ok()
    containers = {c["name"]: c for c in patched["spec"]["template"]["spec"]["containers"]}
    assert set(containers) == {"performer", "side"}
    assert containers["performer"]["image"] == "demo:1"
    assert containers["performer"]["env"] == [{"name": "B", "value": "3"}]


@covers("patch services strategic", "patch configmaps strategic")
async def test_a_strategic_patch_merges_ports_by_number_and_removes_keys(
    api: KubeRequests, space: str
) -> None:
    await api.create(SERVICES, space, service())
    patch = {"spec": {"ports": [{"name": "metrics", "port": 9091}]}}
    ports = (await api.patch("strategic", SERVICES, space, "svc", patch)).ok()["spec"]["ports"]
    assert {port["port"] for port in ports} == {9090, 9091}
    await api.create(CONFIG_MAPS, space, {"metadata": {"name": "cm"}, "data": {"a": "1"}})
    changed = {"data": {"a": None, "b": "2"}}
    config = (await api.patch("strategic", CONFIG_MAPS, space, "cm", changed)).ok()
    assert config["data"] == {"b": "2"}


async def test_a_custom_resource_has_no_strategic_patch(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    refused = await api.patch("strategic", PERFORMERS, space, "perf", {"spec": {}})
    refused.refused(415, "UnsupportedMediaType")


@covers("patch pods merge", "patch pods strategic")
@pytest.mark.parametrize("kind", ["merge", "strategic"])
async def test_labels_of_a_pod_are_patched(api: KubeRequests, space: str, kind: str) -> None:
    await api.create(PODS, space, pod(app="x", serving="true"))
    for each in {kind, "merge", "strategic"}:
        patch = {"metadata": {"labels": {"serving": None, "via": each}}}
        patched = (await api.patch(each, PODS, space, "pod", patch)).ok()
        assert patched["metadata"]["labels"] == {"app": "x", "via": each}


@covers("patch replicasets.apps merge", "patch leases.coordination.k8s.io merge")
async def test_replicas_and_leases_are_patched(api: KubeRequests, space: str) -> None:
    await api.create(REPLICA_SETS, space, replica_set())
    patch = {"metadata": {"annotations": {"role": "InService"}}}
    patched = (await api.patch("merge", REPLICA_SETS, space, "rs", patch)).ok()
    assert patched["metadata"]["annotations"] == {"role": "InService"}
    version = (await api.create(LEASES, space, lease())).version
    taken = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": "two"}}
    after = (await api.patch("merge", LEASES, space, "lease", taken)).ok()
    assert after["spec"]["holderIdentity"] == "two"
    (await api.patch("merge", LEASES, space, "lease", taken)).refused(409, "Conflict")


@covers("patch events.events.k8s.io merge", "patch events merge", "patch secrets merge")
async def test_events_are_counted_up_by_a_patch(api: KubeRequests, space: str) -> None:
    await api.create(EVENTS, space, event(space))
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:09.000000Z"}
    patched = await api.patch("merge", EVENTS, space, "event", {"series": series})
    assert patched.ok()["series"]["count"] == 2
    (await api.create(CORE_EVENTS, space, core_event(space, "old"))).ok()
    counted = await api.patch("merge", CORE_EVENTS, space, "old", {"count": 5})
    assert counted.ok()["count"] == 5
    await api.create(SECRETS, space, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    secret = await api.patch("merge", SECRETS, space, "s", {"stringData": {"c": "d"}})
    assert secret.ok()["data"] == {"a": "Yg==", "c": "ZA=="}
    assert "stringData" not in secret.body
