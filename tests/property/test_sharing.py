"""A new version of an object, built from the parts of the old one that did not change."""

from typing import Any

from hourglass_common.kube.watch_state import sharing
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.integers(2, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner),
    max_leaves=12,
)


@given(JSON, JSON)
def test_sharing_changes_no_value(old: Any, new: Any) -> None:
    assert sharing(old, new) == new


@given(st.dictionaries(st.sampled_from("abc"), JSON), JSON)
def test_equal_parts_are_the_old_ones(old: dict[str, Any], changed: Any) -> None:
    new = {**{key: _copy(part) for key, part in old.items()}, "z": changed}
    found = sharing(old, new)
    assert all(found[key] is part for key, part in old.items())


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value
