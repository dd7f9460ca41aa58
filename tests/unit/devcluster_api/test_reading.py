"""What readers ask with and get: selectors, tables, discovery, OpenAPI."""

from datetime import timedelta
from typing import Any

import pytest
from hourglass_devcluster.model import discovery, openapi
from hourglass_devcluster.model.ages import duration
from hourglass_devcluster.model.jsonpath import find
from hourglass_devcluster.model.kinds import CORE_EVENTS, PODS
from hourglass_devcluster.model.selectors import (
    field_predicate,
    label_predicate,
    selector_predicate,
)
from hourglass_devcluster.model.status import ApiError
from hourglass_devcluster.model.table import table

from tests.support.dev_registry import KINDS, NOW, SCHEMAS, WIDGETS, make_registry, widget, write

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("other!=x", True),
        ("app", True),
        ("!app", False),
        ("app in (web, api)", True),
        ("app notin (web)", False),
        ("app in (api),tier=front", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    predicate = label_predicate(text)
    assert predicate is not None
    assert predicate(LABELS) is matches


def test_no_selector_selects_everything() -> None:
    assert label_predicate("") is None
    assert field_predicate(PODS, "") is None


@pytest.mark.parametrize("text", ["a=b=c d", "a in b", "=x"])
def test_a_bad_label_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        label_predicate(text)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [("In", ["web"], True), ("NotIn", ["web"], False), ("Exists", [], True)],
)
def test_match_expressions(operator: str, values: list[str], matches: bool) -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": operator, "values": values}]}
    assert selector_predicate(selector)(LABELS) is matches


def test_field_selectors_read_fields() -> None:
    seen = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "x"}}
    for text, matches in (
        ("metadata.name=p", True),
        ("spec.nodeName!=x", False),
        ("spec.nodeName=x,status.phase=", True),
    ):
        predicate = field_predicate(PODS, text)
        assert predicate is not None
        assert predicate(seen) is matches


def test_events_are_selected_by_what_they_are_about() -> None:
    event = {"involvedObject": {"kind": "Pod", "name": "p"}}
    predicate = field_predicate(CORE_EVENTS, "involvedObject.kind=Pod,regarding.name=p")
    assert predicate is not None
    assert predicate(event)


def test_an_unknown_field_can_not_be_selected_by() -> None:
    with pytest.raises(ApiError, match=r"field label not supported: spec\.foo"):
        field_predicate(WIDGETS, "spec.foo=1")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        (".list[1]", [{"t": "Y", "s": "no"}]),
        (".list[*].t", ["X", "Y"]),
        ('.list[?(@.t=="Y")].s', ["no"]),
        ("['dotted.key']", [2]),
        (".dotted\\.key", [2]),
        (".nothing.here", []),
        ("~~~", []),
    ],
)
def test_json_paths(path: str, found: list[Any]) -> None:
    value = {
        "a": {"b": 1},
        "dotted.key": 2,
        "list": [{"t": "X", "s": "yes"}, {"t": "Y", "s": "no"}],
    }
    assert find(path, value) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (3600, "60m"),
        (4 * 3600 + 60, "4h1m"),
        (30 * 3600, "30h"),
        (3 * 86400, "3d"),
        (3 * 86400 + 3600, "3d1h"),
        (400 * 86400, "400d"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_of_a_custom_resource_has_its_columns() -> None:
    made = make_registry().create(WIDGETS, "default", widget(), write())
    shown = table(WIDGETS, [made], now=NOW + timedelta(seconds=5))
    assert [each["name"] for each in shown["columnDefinitions"]] == ["Name", "Image", "Age"]
    assert shown["rows"][0]["cells"] == ["w", "img:1", "5s"]
    assert shown["rows"][0]["object"]["metadata"]["name"] == "w"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"phase": "Running"}, "Running"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {
                "phase": "Running",
                "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
            },
            "CrashLoopBackOff",
        ),
        (
            {"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]},
            "ExitCode:3",
        ),
    ],
)
def test_the_status_of_a_pod_is_its_most_telling_word(status: dict[str, Any], text: str) -> None:
    seen = {
        "metadata": {"name": "p", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"containers": [{}]},
        "status": status,
    }
    cells = table(PODS, [seen], now=NOW)["rows"][0]["cells"]
    assert cells[:3] == ["p", "0/1", text]
    assert cells[4] == "0s"


def test_every_kind_has_as_many_cells_as_columns() -> None:
    for kind in KINDS:
        bare = {"metadata": {"name": "x", "creationTimestamp": "2026-01-02T03:04:05Z"}}
        shown = table(kind, [bare], now=NOW)
        assert len(shown["rows"][0]["cells"]) == len(shown["columnDefinitions"]), kind.kind


def test_discovery_names_every_kind_in_both_forms() -> None:
    aggregated = [
        (group["metadata"].get("name", ""), version["version"], resource["resource"])
        for core in (True, False)
        for group in discovery.aggregated(KINDS, core=core)["items"]
        for version in group["versions"]
        for resource in version["resources"]
    ]
    assert sorted(aggregated) == sorted((kind.group, kind.version, kind.plural) for kind in KINDS)
    listed = discovery.resource_list(KINDS, "example.org/v1")
    assert listed is not None
    names = [each["name"] for each in listed["resources"]]
    assert names == ["widgets", "widgets/status", "widgets/scale"]
    assert discovery.resource_list(KINDS, "batch/v1") is None


def test_an_openapi_document_holds_all_that_it_refers_to() -> None:
    for kind in KINDS:
        found = openapi.document(SCHEMAS, KINDS, kind.api_version)
        assert found is not None
        schemas = found["components"]["schemas"]
        missing = set(_references(schemas)) - set(schemas)
        assert not missing, kind.kind


def test_a_patch_tells_that_the_server_validates_fields() -> None:
    found = openapi.document(SCHEMAS, KINDS, "example.org/v1")
    assert found is not None
    path = "/apis/example.org/v1/namespaces/{namespace}/widgets/{name}"
    names = [each["name"] for each in found["paths"][path]["patch"]["parameters"]]
    assert "fieldValidation" in names


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        here = [schema["$ref"].rpartition("/")[2]] if isinstance(schema.get("$ref"), str) else []
        return here + [name for value in schema.values() for name in _references(value)]
    if isinstance(schema, list):
        return [name for value in schema for name in _references(value)]
    return []
