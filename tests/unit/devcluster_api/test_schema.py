"""Custom resources: defaults, pruning and validation with Kubernetes' messages."""

from typing import Any

import pytest
from hourglass_devcluster.model.fields import fill_defaults, pruned, without_nulls
from hourglass_devcluster.model.status import ApiError

from tests.support.dev_registry import SCHEMAS, WIDGETS, make_registry, widget, write


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"replicas": -1}, "spec.replicas in body should be greater than or equal to 0"),
        ({"replicas": "x"}, 'spec.replicas in body must be of type integer: "string"'),
        ({"replicas": 1 << 40}, "must be of type int32"),
        ({"image": "A"}, "spec.image in body should match '^[a-z0-9:.-]+$'"),
        ({"image": "a" * 21}, "Too long: may not be more than 20 bytes"),
        ({"mode": "C"}, 'Unsupported value: "C": supported values: "A", "B"'),
        ({"env": [{"value": "1"}]}, "spec.env[0].name: Required value"),
        ({"env": [{"name": "A"}] * 2}, 'spec.env[1]: Duplicate value: {"name":"A"}'),
        ({"env": [{"name": c} for c in "ABCD"]}, "Too many: 4: must have at most 3 items"),
        ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        ({"limits": {"cpu": 1.5}}, "must be of type integer,string"),
        ({"image": "bad"}, "spec: Invalid value: image is bad"),
        ({"image": None}, "spec.image: Required value"),
    ],
)
def test_a_bad_value_is_refused_with_its_cause(spec: dict[str, Any], cause: str) -> None:
    with pytest.raises(ApiError) as refused:
        make_registry().create(WIDGETS, "default", widget(**spec), write())
    assert refused.value.code == 422
    assert refused.value.message.startswith('Widget.example.org "w" is invalid: ')
    assert cause in refused.value.message


def test_every_cause_has_its_field() -> None:
    with pytest.raises(ApiError) as refused:
        make_registry().create(WIDGETS, "default", widget(replicas=-1, mode="C"), write())
    assert refused.value.details is not None
    fields = [each["field"] for each in refused.value.details["causes"]]
    assert fields[:2] == ["spec.replicas", "spec.mode"]


def test_a_rule_about_the_old_value_is_asked_on_updates_only() -> None:
    registry = make_registry()
    registry.create(WIDGETS, "default", widget(image="last"), write())
    with pytest.raises(ApiError, match="the last image stays"):
        registry.patch(WIDGETS, "default", "w", "merge", {"spec": {"image": "next"}}, write())


def test_what_the_schema_does_not_know_is_pruned() -> None:
    made = {
        "metadata": {"name": "w", "colour": "red"},
        "spec": {"image": "a", "x": 1, "env": [{"name": "A", "y": 2}], "free": {"z": {"deep": 3}}},
    }
    assert pruned(SCHEMAS, WIDGETS, made) == ["metadata.colour", "spec.env[0].y", "spec.x"]
    assert made["spec"] == {"image": "a", "env": [{"name": "A"}], "free": {"z": {"deep": 3}}}


def test_defaults_fill_what_is_missing_and_nulls() -> None:
    schema = SCHEMAS.of(WIDGETS)
    for spec in ({}, {"replicas": None}):
        made: dict[str, Any] = {"spec": spec}
        without_nulls(SCHEMAS, schema, made)
        fill_defaults(SCHEMAS, schema, made)
        assert made["spec"]["replicas"] == 1


def test_numbers_and_text_are_both_quantities() -> None:
    made = make_registry().create(
        WIDGETS, "default", widget(limits={"cpu": 1, "memory": "1Gi"}), write()
    )
    assert made["spec"]["limits"] == {"cpu": 1, "memory": "1Gi"}


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"name": "A_b"}, "a lowercase RFC 1123 subdomain must consist"),
        ({"name": "a" * 254}, "must be no more than 253"),
        ({"name": "a", "labels": {"a": "b c"}}, "a valid label must be"),
        ({"name": "a", "labels": {"-": "b"}}, "name part must consist"),
        ({"name": "a", "labels": {"a": 5}}, "cannot unmarshal number"),
        ({}, "name or generateName is required"),
    ],
)
def test_bad_metadata_is_refused(meta: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        make_registry().create(WIDGETS, "default", {**widget(), "metadata": meta}, write())
