"""The laws of server-side apply."""

from typing import Any

from hourglass_devcluster.model import field_sets
from hourglass_devcluster.model.registry import Registry
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dev_registry import SCHEMAS, WIDGETS, make_registry, write

named = st.fixed_dictionaries(
    {"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from("12")}
)
specs = st.fixed_dictionaries(
    {"image": st.just("img")},
    optional={
        "replicas": st.integers(0, 3),
        "mode": st.sampled_from("AB"),
        "env": st.lists(named, max_size=3, unique_by=lambda each: each["name"]),
        "args": st.lists(st.sampled_from("xy"), max_size=2),
        "tags": st.lists(st.sampled_from("xyz"), max_size=3, unique=True),
        "free": st.dictionaries(st.sampled_from("pq"), st.integers(0, 2), max_size=2),
    },
)


def apply(registry: Registry, manager: str, spec: dict[str, Any]) -> dict[str, Any]:
    typed = {"apiVersion": "example.org/v1", "kind": "Widget"}
    body = {**typed, "metadata": {"name": "w"}, "spec": spec}
    options = write(manager, force=True)
    new, _ = registry.patch(WIDGETS, "default", "w", "apply", body, options)
    return dict(new)


def owned(manifest: dict[str, Any], manager: str) -> field_sets.FieldSet:
    for entry in manifest["metadata"]["managedFields"]:
        if entry["manager"] == manager:
            return field_sets.decoded(entry["fieldsV1"])
    return frozenset()


def says(spec: dict[str, Any]) -> field_sets.FieldSet:
    return field_sets.fields_of(SCHEMAS, SCHEMAS.of(WIDGETS), {"spec": spec})


@settings(max_examples=60, deadline=None)
@given(specs)
def test_applying_twice_is_applying_once(spec: dict[str, Any]) -> None:
    registry = make_registry()
    once = apply(registry, "one", spec)
    assert apply(registry, "one", spec) == once
    assert owned(once, "one") == says(spec)


@settings(max_examples=60, deadline=None)
@given(specs, specs)
def test_the_last_apply_of_a_lone_manager_is_all_that_is_left(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    registry = make_registry()
    apply(registry, "one", first)
    new = apply(registry, "one", second)
    fresh = apply(make_registry(), "one", second)
    assert says(new["spec"]) - owned(new, "one") <= says({"replicas": 1})
    assert owned(new, "one") == owned(fresh, "one")


@settings(max_examples=60, deadline=None)
@given(specs, specs)
def test_what_the_last_one_said_is_so(first: dict[str, Any], second: dict[str, Any]) -> None:
    registry = make_registry()
    apply(registry, "one", first)
    new = apply(registry, "two", second)
    schema = SCHEMAS.of(WIDGETS)
    for path in says(second):
        assert field_sets.same_at(SCHEMAS, schema, {"spec": second}, new, path)


@settings(max_examples=60, deadline=None)
@given(specs, specs)
def test_fields_that_only_the_first_one_said_are_kept(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    registry = make_registry()
    apply(registry, "one", first)
    new = apply(registry, "two", second)
    mentioned = set(second)
    for key, value in first.items():
        if key not in mentioned:
            assert new["spec"][key] == value
    gone = apply(registry, "two", {"image": "img"})
    for key, value in first.items():
        if key not in mentioned:
            assert gone["spec"][key] == value


@settings(max_examples=60, deadline=None)
@given(specs)
def test_what_two_said_stays_when_one_lets_go(spec: dict[str, Any]) -> None:
    registry = make_registry()
    apply(registry, "one", spec)
    both = apply(registry, "two", spec)
    assert apply(registry, "two", {"image": "img"})["spec"] == both["spec"]


@given(specs)
def test_field_sets_survive_their_encoding(spec: dict[str, Any]) -> None:
    fields = says(spec)
    assert field_sets.decoded(field_sets.encoded(fields)) == fields
