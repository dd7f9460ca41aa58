"""Server-side apply: ownership, conflicts, removal."""

from typing import Any

import pytest
from hourglass_devcluster.model import field_sets
from hourglass_devcluster.model.kinds import PODS, REPLICA_SETS, SERVICES
from hourglass_devcluster.model.registry import Registry
from hourglass_devcluster.model.status import ApiError

from tests.support.dev_registry import WIDGETS, make_registry, pod, widget, write


def apply(
    registry: Registry, manager: str, *, force: bool = False, subresource: str = "", **spec: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
    }
    body["status" if subresource else "spec"] = spec
    new, _ = registry.patch(
        WIDGETS, "default", "w", "apply", body, write(manager, force=force), subresource
    )
    return dict(new)


def owned(manifest: Any, manager: str) -> set[str]:
    for entry in manifest["metadata"].get("managedFields", ()):
        if entry["manager"] == manager:
            return {field_sets.shown(path) for path in field_sets.decoded(entry["fieldsV1"])}
    return set()


def test_an_apply_creates_what_is_not_there_and_owns_what_it_said() -> None:
    made = apply(make_registry(), "one", image="a")
    assert made["spec"] == {"image": "a", "replicas": 1}
    assert owned(made, "one") == {".spec.image"}
    assert made["metadata"]["managedFields"][0]["operation"] == "Apply"


def test_another_value_for_an_owned_field_is_a_conflict() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", mode="A")
    with pytest.raises(ApiError) as refused:
        apply(registry, "two", image="b", mode="B")
    assert refused.value.code == 409
    assert refused.value.message == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.image\n- .spec.mode'
    )
    assert refused.value.details is not None
    assert refused.value.details["causes"][0] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "one"',
        "field": ".spec.image",
    }


def test_a_conflict_with_a_plain_write_names_its_version() -> None:
    registry = make_registry()
    registry.create(WIDGETS, "default", widget(), write("creator"))
    with pytest.raises(ApiError) as refused:
        apply(registry, "two", image="b")
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "creator" using example.org/v1: .spec.image'
    )


def test_force_takes_the_field_over() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", mode="A")
    new = apply(registry, "two", image="b", force=True)
    assert new["spec"]["image"] == "b"
    assert owned(new, "one") == {".spec.mode"}
    assert owned(new, "two") == {".spec.image"}


def test_the_same_value_is_owned_by_both() -> None:
    registry = make_registry()
    apply(registry, "one", image="a")
    new = apply(registry, "two", image="a")
    assert owned(new, "one") == owned(new, "two") == {".spec.image"}


def test_what_is_no_longer_applied_is_removed() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", env=[{"name": "A", "value": "1"}, {"name": "B"}])
    new = apply(registry, "one", image="a", env=[{"name": "B"}])
    assert new["spec"]["env"] == [{"name": "B"}]
    assert "env" not in apply(registry, "one", image="a")["spec"]


def test_what_others_own_too_stays() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", env=[{"name": "A", "value": "1"}])
    apply(registry, "two", env=[{"name": "A", "value": "1"}, {"name": "B"}])
    new = apply(registry, "one", image="a")
    assert new["spec"]["env"] == [{"name": "A", "value": "1"}, {"name": "B"}]


def test_an_item_of_a_set_goes_with_its_owner() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", tags=["x", "y"])
    apply(registry, "two", tags=["y", "z"])
    assert apply(registry, "one", image="a")["spec"]["tags"] == ["y", "z"]


def test_an_atomic_list_is_replaced_as_a_whole() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", args=["x", "y"])
    with pytest.raises(ApiError, match=r"\.spec\.args"):
        apply(registry, "two", args=["z"])
    assert apply(registry, "two", args=["z"], force=True)["spec"]["args"] == ["z"]


def test_a_plain_write_takes_ownership_from_an_apply() -> None:
    registry = make_registry()
    apply(registry, "one", image="a", mode="A")
    new, _ = registry.patch(
        WIDGETS, "default", "w", "merge", {"spec": {"mode": "B"}}, write("editor")
    )
    assert owned(new, "one") == {".spec.image"}
    assert owned(new, "editor") == {".spec.mode"}


def test_the_status_has_owners_of_its_own() -> None:
    registry = make_registry()
    apply(registry, "one", image="a")
    new = apply(registry, "one", subresource="status", phase="Ready")
    assert new["status"] == {"phase": "Ready"}
    entries = {each.get("subresource", ""): each for each in new["metadata"]["managedFields"]}
    assert entries["status"]["fieldsV1"] == {"f:status": {"f:phase": {}}}
    assert entries[""]["fieldsV1"] == {"f:spec": {"f:image": {}}}


def test_the_same_apply_again_is_no_change() -> None:
    registry = make_registry()
    first = apply(registry, "one", image="a")
    assert apply(registry, "one", image="a") == first


def test_a_field_that_is_not_in_the_schema_is_refused() -> None:
    with pytest.raises(ApiError, match=r"\.spec\.colour: field not declared in schema"):
        apply(make_registry(), "one", image="a", colour="red")


def test_a_stale_version_in_the_configuration_is_a_conflict() -> None:
    registry = make_registry()
    apply(registry, "one", image="a")
    body = {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "resourceVersion": "1"},
        "spec": {"image": "b"},
    }
    with pytest.raises(ApiError, match="has been modified"):
        registry.patch(WIDGETS, "default", "w", "apply", body, write("one", force=True))


def test_containers_and_ports_merge_by_their_keys() -> None:
    registry = make_registry()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    template["spec"]["containers"][0]["ports"] = [{"containerPort": 1}]
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    typed = {"apiVersion": "apps/v1", "kind": "ReplicaSet"}
    body = {**typed, "metadata": {"name": "r"}, "spec": spec}
    made, is_new = registry.patch(REPLICA_SETS, "default", "r", "apply", body, write("one"))
    assert is_new
    paths = owned(made, "one")
    assert (
        '.spec.template.spec.containers[name="main"].ports[containerPort=1,protocol="TCP"]'
        ".containerPort"
    ) in paths
    again, is_new = registry.patch(REPLICA_SETS, "default", "r", "apply", body, write("one"))
    assert not is_new
    assert again == made


def test_a_service_selector_is_one_field() -> None:
    registry = make_registry()
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"selector": {"a": "1"}, "ports": [{"port": 80, "name": "grpc"}]},
    }
    registry.patch(SERVICES, "default", "s", "apply", body, write("one"))
    body["spec"] = {"selector": {"b": "2"}, "ports": [{"port": 81, "name": "grpc"}]}
    new, _ = registry.patch(SERVICES, "default", "s", "apply", body, write("one"))
    assert new["spec"]["selector"] == {"b": "2"}
    assert [port["port"] for port in new["spec"]["ports"]] == [81]


def test_a_client_may_move_ownership_by_writing_managed_fields() -> None:
    registry = make_registry()
    made = registry.create(PODS, "default", pod(), write("kubectl-client-side-apply"))
    entries = [dict(each) for each in made["metadata"]["managedFields"]]
    entries[0] |= {"manager": "kubectl", "operation": "Apply"}
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": entries}]
    new, _ = registry.patch(PODS, "default", "p", "json", patch, write("kubectl"))
    held = [(each["manager"], each["operation"]) for each in new["metadata"]["managedFields"]]
    assert held == [("kubectl", "Apply")]
