"""The laws of merge patch (RFC 7386), and of strategic merge beside it."""

from copy import deepcopy
from typing import Any

from hourglass_devcluster.model.patch import json_patched, merge_patched
from hypothesis import given
from hypothesis import strategies as st

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2)
keys = st.sampled_from(("a", "b", "c"))
inner = scalars | st.lists(scalars, max_size=2) | st.dictionaries(keys, scalars, max_size=2)
values: st.SearchStrategy[Any] = inner | st.dictionaries(keys, inner, max_size=2)
documents = st.dictionaries(keys, values, max_size=3)


def has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(each is None or has_null(each) for each in value.values())
    return False


@given(documents, documents)
def test_patching_twice_is_patching_once(document: Any, patch: Any) -> None:
    once = merge_patched(document, patch)
    assert merge_patched(once, patch) == once


@given(documents)
def test_an_empty_patch_changes_nothing(document: Any) -> None:
    assert merge_patched(document, {}) == document


@given(documents, documents)
def test_neither_side_is_written_to(document: Any, patch: Any) -> None:
    before = deepcopy((document, patch))
    merge_patched(document, patch)
    assert (document, patch) == before


@given(documents, documents)
def test_what_the_patch_says_is_so_afterwards(document: Any, patch: Any) -> None:
    patched = merge_patched(document, patch)
    for key, value in patch.items():
        if value is None:
            assert key not in patched
        elif not isinstance(value, dict):
            assert patched[key] == value
    for key, value in document.items():
        if key not in patch:
            assert patched[key] == value


@given(values, documents.filter(lambda document: not has_null(document)))
def test_a_patch_of_something_else_becomes_the_patch(document: Any, patch: Any) -> None:
    if not isinstance(document, dict):
        assert merge_patched(document, patch) == patch


@given(documents, keys, values)
def test_a_json_patch_adds_and_removes(document: Any, key: str, value: Any) -> None:
    added = json_patched(document, [{"op": "add", "path": f"/{key}", "value": value}])
    assert added == {**document, key: value}
    removed = json_patched(added, [{"op": "remove", "path": f"/{key}"}])
    assert removed == {name: each for name, each in document.items() if name != key}
