"""The verbs: what a request changes, and what it is refused for."""

from datetime import timedelta
from typing import Any

import pytest
from hourglass_devcluster.model.deletion import Options, options_of
from hourglass_devcluster.model.events import is_stale
from hourglass_devcluster.model.kinds import (
    CONFIG_MAPS,
    CORE_EVENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
)
from hourglass_devcluster.model.status import ApiError
from hourglass_devcluster.model.store import Change

from tests.support.dev_registry import NOW, WIDGETS, make_registry, pod, widget, write


def test_a_new_object_gets_its_identity_and_defaults() -> None:
    made = make_registry().create(WIDGETS, "default", widget(), write())
    assert made["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"]
    assert made["spec"]["replicas"] == 1


def test_the_same_name_again_already_exists() -> None:
    registry = make_registry()
    registry.create(WIDGETS, "default", widget(), write())
    with pytest.raises(ApiError) as refused:
        registry.create(WIDGETS, "default", widget(), write())
    assert refused.value.code == 409
    assert refused.value.reason == "AlreadyExists"
    assert refused.value.message == 'widgets.example.org "w" already exists'


def test_a_generated_name_ends_with_the_suffix() -> None:
    body = {**widget(), "metadata": {"generateName": "w-"}}
    made = make_registry().create(WIDGETS, "default", body, write())
    assert made["metadata"]["name"] == "w-abcde"


def test_a_namespace_that_is_not_there_is_not_found() -> None:
    with pytest.raises(ApiError, match='namespaces "nope" not found'):
        make_registry().create(WIDGETS, "nope", widget(), write())


def test_a_new_namespace_has_its_service_account() -> None:
    registry = make_registry()
    registry.create(NAMESPACES, "", {"metadata": {"name": "fresh"}}, write())
    names = [each["metadata"]["name"] for _, each in registry.store.in_namespace("fresh")]
    assert sorted(names) == ["default", "kube-root-ca.crt"]


def test_a_dry_run_changes_nothing() -> None:
    changes: list[Change] = []
    registry = make_registry(changes)
    registry.create(WIDGETS, "default", widget(), write(dry_run=True))
    assert changes == []
    with pytest.raises(ApiError, match="not found"):
        registry.get(WIDGETS, "default", "w")


@pytest.mark.parametrize(
    ("patch", "generation"),
    [
        ({"spec": {"replicas": 2}}, 2),
        ({"metadata": {"labels": {"a": "b"}}}, 1),
        ({"spec": {"replicas": 1}}, 1),
    ],
)
def test_only_a_change_of_the_spec_counts_as_a_generation(
    patch: dict[str, Any], generation: int
) -> None:
    registry = make_registry()
    registry.create(WIDGETS, "default", widget(), write())
    new, _ = registry.patch(WIDGETS, "default", "w", "merge", patch, write())
    assert new["metadata"]["generation"] == generation


def test_a_write_that_changes_nothing_is_no_change() -> None:
    changes: list[Change] = []
    registry = make_registry(changes)
    made = registry.create(WIDGETS, "default", widget(), write())
    again, _ = registry.patch(
        WIDGETS, "default", "w", "merge", {"spec": {"image": "img:1"}}, write()
    )
    assert again == made
    assert len(changes) == 1


def test_a_stale_version_is_a_conflict() -> None:
    registry = make_registry()
    made = registry.create(WIDGETS, "default", widget(), write())
    registry.patch(WIDGETS, "default", "w", "merge", {"spec": {"replicas": 2}}, write())
    with pytest.raises(ApiError, match="the object has been modified") as refused:
        registry.replace(WIDGETS, "default", "w", made, write())
    assert refused.value.code == 409


def test_a_replace_of_a_custom_resource_must_name_the_version() -> None:
    registry = make_registry()
    registry.create(WIDGETS, "default", widget(), write())
    with pytest.raises(ApiError, match="must be specified for an update"):
        registry.replace(WIDGETS, "default", "w", widget(), write())


def test_a_lease_is_created_by_an_update() -> None:
    body = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    _, is_new = make_registry().replace(LEASES, "default", "l", body, write())
    assert is_new


def test_the_status_is_written_by_its_own_path_alone() -> None:
    registry = make_registry()
    body = {**widget(), "status": {"phase": "Early"}}
    assert "status" not in registry.create(WIDGETS, "default", body, write())
    patch = {
        "status": {"phase": "Ready"},
        "spec": {"replicas": 9},
        "metadata": {"labels": {"a": "b"}},
    }
    new, _ = registry.patch(WIDGETS, "default", "w", "merge", patch, write(), "status")
    assert new["status"] == {"phase": "Ready"}
    assert new["spec"]["replicas"] == 1
    assert "labels" not in new["metadata"]
    assert new["metadata"]["generation"] == 1
    new, _ = registry.patch(WIDGETS, "default", "w", "merge", patch, write())
    assert new["spec"]["replicas"] == 9
    assert new["status"] == {"phase": "Ready"}


def test_scale_reads_and_writes_the_replicas() -> None:
    registry = make_registry()
    registry.create(WIDGETS, "default", widget(), write())
    status = {"status": {"replicas": 1, "selector": "a=b"}}
    registry.patch(WIDGETS, "default", "w", "merge", status, write(), "status")
    patch = {"spec": {"replicas": 4}}
    scale, _ = registry.patch(WIDGETS, "default", "w", "merge", patch, write(), "scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 4}
    assert scale["status"] == {"replicas": 1, "selector": "a=b"}
    assert registry.get(WIDGETS, "default", "w")["spec"]["replicas"] == 4
    with pytest.raises(ApiError, match="should be greater than or equal to 0"):
        registry.patch(
            WIDGETS, "default", "w", "merge", {"spec": {"replicas": -1}}, write(), "scale"
        )


def test_an_unknown_field_is_dropped_warned_of_or_refused() -> None:
    registry = make_registry()
    warned = write()
    made = registry.create(WIDGETS, "default", widget(colour="red"), warned)
    assert "colour" not in made["spec"]
    assert warned.warnings == ['unknown field "spec.colour"']
    with pytest.raises(ApiError, match=r'unknown field "spec\.colour"') as refused:
        registry.create(WIDGETS, "default", widget("x", colour="red"), write(validation="Strict"))
    assert refused.value.code == 400


def test_a_service_keeps_its_address() -> None:
    registry = make_registry()
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    made = registry.create(SERVICES, "default", body, write())
    address = made["spec"]["clusterIP"]
    assert address.startswith("10.96.")
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    new, _ = registry.replace(SERVICES, "default", "s", body, write())
    assert new["spec"]["clusterIP"] == address
    with pytest.raises(ApiError, match="may not change once set"):
        registry.patch(
            SERVICES, "default", "s", "merge", {"spec": {"clusterIP": "10.96.1.1"}}, write()
        )


def test_two_services_have_two_addresses() -> None:
    registry = make_registry()
    spec = {"ports": [{"port": 80}]}
    addresses = {
        registry.create(SERVICES, "default", {"metadata": {"name": name}, "spec": spec}, write())[
            "spec"
        ]["clusterIP"]
        for name in ("a", "b", "c")
    }
    assert len(addresses) == 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.selector: Required value"),
        (
            {"selector": {"matchLabels": {"a": "z"}}},
            "`selector` does not match template `labels`",
        ),
    ],
)
def test_a_replica_set_must_select_its_own_pods(spec: dict[str, Any], message: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    body = {"metadata": {"name": "r"}, "spec": {"template": template, **spec}}
    with pytest.raises(ApiError, match=message) as refused:
        make_registry().create(REPLICA_SETS, "default", body, write())
    assert refused.value.code == 422


def test_the_selector_of_a_replica_set_never_changes() -> None:
    registry = make_registry()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    selector = {"matchLabels": {"a": "b"}}
    body = {"metadata": {"name": "r"}, "spec": {"template": template, "selector": selector}}
    registry.create(REPLICA_SETS, "default", body, write())
    patch = {"spec": {"selector": {"matchLabels": {"a": "z"}}}}
    with pytest.raises(ApiError, match="field is immutable"):
        registry.patch(REPLICA_SETS, "default", "r", "merge", patch, write())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        ({"containers": [{"name": "a"}]}, r"spec.containers\[0\].image: Required value"),
        ({"restartPolicy": "Often"}, 'Unsupported value: "Often"'),
        ({"nodeName": 5}, "cannot unmarshal number into Go struct field PodSpec.spec.nodeName"),
    ],
)
def test_a_bad_pod_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        make_registry().create(PODS, "default", pod(**spec), write())


def test_a_pod_may_change_its_image_and_node_and_little_else() -> None:
    registry = make_registry()
    made = registry.create(PODS, "default", pod(), write())
    assert made["status"]["phase"] == "Pending"
    containers = [{"name": "main", "image": "img:2"}]
    patch = {"spec": {"nodeName": "n", "containers": containers}}
    new, _ = registry.patch(PODS, "default", "p", "strategic", patch, write())
    assert new["spec"]["nodeName"] == "n"
    with pytest.raises(ApiError, match="pod updates may not change fields"):
        registry.patch(PODS, "default", "p", "merge", {"spec": {"restartPolicy": "Never"}}, write())


def test_a_pod_without_a_node_is_removed_at_once() -> None:
    registry = make_registry()
    registry.create(PODS, "default", pod(), write())
    _, is_gone = registry.delete(PODS, "default", "p", Options(), write())
    assert is_gone


def test_a_running_pod_is_removed_once_its_node_says_so() -> None:
    registry = make_registry()
    registry.create(PODS, "default", pod(nodeName="n"), write())
    marked, is_gone = registry.delete(PODS, "default", "p", Options(), write())
    assert not is_gone
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-02T03:04:35Z"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    again, _ = registry.delete(PODS, "default", "p", Options(), write())
    assert again == marked
    shorter, _ = registry.delete(PODS, "default", "p", Options(grace_period_seconds=5), write())
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    with pytest.raises(ApiError, match="UID in the precondition"):
        registry.delete(PODS, "default", "p", Options(uid="other"), write())
    last = Options(grace_period_seconds=0, uid=marked["metadata"]["uid"])
    _, is_gone = registry.delete(PODS, "default", "p", last, write())
    assert is_gone


def test_a_finalizer_holds_an_object_until_it_is_removed() -> None:
    registry = make_registry()
    body = widget()
    body["metadata"]["finalizers"] = ["example.org/hold"]
    registry.create(WIDGETS, "default", body, write())
    _, is_gone = registry.delete(WIDGETS, "default", "w", Options(), write())
    assert not is_gone
    added = {"metadata": {"finalizers": ["example.org/hold", "example.org/more"]}}
    with pytest.raises(ApiError, match="no new finalizers can be added"):
        registry.patch(WIDGETS, "default", "w", "merge", added, write())
    registry.patch(WIDGETS, "default", "w", "merge", {"metadata": {"finalizers": None}}, write())
    with pytest.raises(ApiError, match="not found"):
        registry.get(WIDGETS, "default", "w")


def test_the_last_namespaces_stay() -> None:
    with pytest.raises(ApiError, match="may not be deleted") as refused:
        make_registry().delete(NAMESPACES, "", "default", Options(), write())
    assert refused.value.code == 403


def test_an_event_is_one_object_in_two_forms() -> None:
    registry = make_registry()
    body = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "note": "hello",
        "reason": "Said",
        "reportingController": "example.org/me",
    }
    registry.create(EVENTS, "default", body, write())
    core = registry.get(CORE_EVENTS, "default", "e")
    assert core["apiVersion"] == "v1"
    assert core["message"] == "hello"
    assert core["involvedObject"]["name"] == "p"
    assert core["reportingComponent"] == "example.org/me"
    new, _ = registry.patch(EVENTS, "default", "e", "merge", {"note": "bye"}, write())
    assert new["note"] == "bye"
    assert registry.get(CORE_EVENTS, "default", "e")["message"] == "bye"


def test_an_immutable_config_map_keeps_its_data() -> None:
    registry = make_registry()
    body = {"metadata": {"name": "c"}, "data": {"a": "1"}, "immutable": True}
    registry.create(CONFIG_MAPS, "default", body, write())
    with pytest.raises(ApiError, match="field is immutable when"):
        registry.patch(CONFIG_MAPS, "default", "c", "merge", {"data": {"a": "2"}}, write())


def test_a_strategic_patch_merges_containers_by_name() -> None:
    registry = make_registry()
    registry.create(PODS, "default", pod(), write())
    patch = {"spec": {"containers": [{"name": "main", "image": "img:9"}]}}
    new, _ = registry.patch(PODS, "default", "p", "strategic", patch, write())
    assert [each["image"] for each in new["spec"]["containers"]] == ["img:9"]
    assert new["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_delete_options_come_from_the_body_or_the_query() -> None:
    body = {
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 3,
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }
    assert options_of(body, {}) == Options(
        propagation="Foreground", grace_period_seconds=3, uid="u", resource_version="7"
    )
    assert options_of(None, {"propagationPolicy": "Orphan"}).propagation == "Orphan"
    with pytest.raises(ApiError, match="is not Background"):
        options_of({"propagationPolicy": "Sideways"}, {})


def test_the_plain_text_of_a_secret_is_encoded() -> None:
    registry = make_registry()
    body = {"metadata": {"name": "s"}, "stringData": {"a": "b"}}
    made = registry.create(SECRETS, "default", body, write())
    assert made["data"] == {"a": "Yg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


@pytest.mark.parametrize(
    ("times", "stale"),
    [
        ({}, True),
        ({"lastTimestamp": "2026-01-02T04:00:00Z"}, False),
        ({"series": {"lastObservedTime": "2026-01-02T04:00:00.000000Z"}}, False),
        ({"lastTimestamp": "2026-01-02T03:00:00Z"}, True),
        ({"lastTimestamp": "yesterday"}, True),
    ],
)
def test_an_event_is_kept_for_an_hour_after_it_last_happened(
    times: dict[str, Any], stale: bool
) -> None:
    event = {"metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}, **times}
    assert is_stale(event, NOW + timedelta(hours=1, seconds=1)) is stale
