"""Strategic merge patch, by the merge keys of the built-in kinds."""

from typing import Any

import pytest
from hourglass_devcluster.model.kinds import PODS
from hourglass_devcluster.model.status import ApiError
from hourglass_devcluster.model.strategic import strategic_patched

from tests.support.dev_registry import SCHEMAS

POD: dict[str, Any] = {
    "metadata": {"finalizers": ["a/x", "a/y"]},
    "spec": {
        "containers": [
            {"name": "one", "image": "1", "env": [{"name": "A", "value": "1"}]},
            {"name": "two", "image": "2"},
        ],
        "tolerations": [{"key": "k"}],
        "nodeSelector": {"disk": "ssd"},
    },
}


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({"containers": [{"name": "two", "image": "9"}]}, ["one", "two"]),
        ({"containers": [{"name": "one", "$patch": "delete"}]}, ["two"]),
        ({"containers": [{"name": "new", "image": "3"}]}, ["new", "one", "two"]),
        ({"containers": [{"$patch": "replace"}, {"name": "new"}]}, ["new"]),
        (
            {"$setElementOrder/containers": [{"name": "two"}, {"name": "one"}]},
            ["two", "one"],
        ),
    ],
)
def test_containers_merge_by_name(patch: dict[str, Any], names: list[str]) -> None:
    new = strategic_patched(SCHEMAS, PODS, POD, {"spec": patch})
    assert [each["name"] for each in new["spec"]["containers"]] == names


def test_lists_within_items_merge_too() -> None:
    patch = {"spec": {"containers": [{"name": "one", "env": [{"name": "A", "value": "2"}]}]}}
    new = strategic_patched(SCHEMAS, PODS, POD, patch)
    assert new["spec"]["containers"][0]["env"] == [{"name": "A", "value": "2"}]
    assert POD["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]


def test_lists_without_a_merge_key_are_replaced() -> None:
    patch = {"spec": {"tolerations": [{"key": "z"}]}}
    new = strategic_patched(SCHEMAS, PODS, POD, patch)
    assert new["spec"]["tolerations"] == [{"key": "z"}]


def test_sets_grow_and_shrink() -> None:
    grown = strategic_patched(SCHEMAS, PODS, POD, {"metadata": {"finalizers": ["a/z", "a/x"]}})
    assert grown["metadata"]["finalizers"] == ["a/x", "a/y", "a/z"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}}
    shrunk = strategic_patched(SCHEMAS, PODS, POD, patch)
    assert shrunk["metadata"]["finalizers"] == ["a/y"]


@pytest.mark.parametrize(
    ("patch", "selector"),
    [
        ({"cpu": "fast"}, {"disk": "ssd", "cpu": "fast"}),
        ({"disk": None}, {}),
        ({"$patch": "replace", "cpu": "fast"}, {"cpu": "fast"}),
        ({"$retainKeys": ["cpu"], "cpu": "fast"}, {"cpu": "fast"}),
        ({"$patch": "delete"}, {}),
    ],
)
def test_maps_merge_by_key(patch: dict[str, Any], selector: dict[str, str]) -> None:
    new = strategic_patched(SCHEMAS, PODS, POD, {"spec": {"nodeSelector": patch}})
    assert new["spec"]["nodeSelector"] == selector


@pytest.mark.parametrize(
    "patch",
    [[], {"spec": {"containers": [{"image": "x"}]}}, {"spec": {"$patch": "shuffle"}}],
)
def test_a_bad_patch_is_refused(patch: Any) -> None:
    with pytest.raises(ApiError) as refused:
        strategic_patched(SCHEMAS, PODS, POD, patch)
    assert refused.value.code == 400
