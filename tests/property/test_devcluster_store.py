"""The store's history: a watcher from any version sees exactly the later changes."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hourglass_devcluster.model.store import Change, HistoryCompacted, Store
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ("a", "b", "c")
writes = st.lists(
    st.tuples(st.sampled_from(("put", "delete")), st.sampled_from(NAMES), st.integers(0, 3)),
    max_size=40,
)


@dataclass
class Past:
    """A store and, for each version that it ever had, the objects it then held."""

    store: Store
    changes: list[Change] = field(default_factory=list)
    states: dict[int, dict[str, Any]] = field(default_factory=dict)


def replayed(steps: list[tuple[str, str, int]], *, history: int = 1000) -> Past:
    past = Past(Store(history=history))
    past.states[past.store.version] = {}
    for verb, name, value in steps:
        if verb == "put":
            body = {"metadata": {"name": name, "uid": f"uid-{name}"}, "value": value}
            past.changes.append(past.store.put("things", body))
        elif past.store.get("things", ("", name)) is not None:
            past.changes.append(past.store.delete("things", ("", name)))
        held = {each["metadata"]["name"]: each for each in past.store.objects("things")}
        past.states[past.store.version] = held
    return past


@given(writes)
def test_versions_only_grow(steps: list[tuple[str, str, int]]) -> None:
    versions = [change.version for change in replayed(steps).changes]
    assert versions == sorted(set(versions))


@given(writes)
def test_a_watcher_sees_exactly_what_came_later(steps: list[tuple[str, str, int]]) -> None:
    past = replayed(steps)
    for version in past.states:
        seen = past.store.since("things", version)
        assert list(seen) == [change for change in past.changes if change.version > version]


@given(writes)
def test_any_past_and_its_later_changes_make_the_present(
    steps: list[tuple[str, str, int]],
) -> None:
    past = replayed(steps)
    present = past.states[past.store.version]
    for version, state in past.states.items():
        held = dict(state)
        for change in past.store.since("things", version):
            if change.type == "DELETED":
                del held[change.key[1]]
            else:
                assert (change.key[1] in held) is (change.type == "MODIFIED")
                held[change.key[1]] = change.new
        assert held == present


@settings(max_examples=50)
@given(writes.filter(lambda steps: len(steps) > 10), st.integers(1, 3))
def test_a_compacted_past_is_refused_and_never_shown_in_part(
    steps: list[tuple[str, str, int]], history: int
) -> None:
    past = replayed(steps, history=history)
    refused = 0
    for version in past.states:
        expected = [change for change in past.changes if change.version > version]
        try:
            assert list(past.store.since("things", version)) == expected
        except HistoryCompacted:
            refused += 1
            assert len(expected) > history
    assert len(past.store.since("things", past.store.version)) == 0
    if len(past.changes) > 2 * history + 1:
        assert refused


def test_a_version_never_given_out_is_refused() -> None:
    store = Store(version=10_000, remembered_since=7)
    assert list(store.since("things", 7)) == []
    for version in (6, 10_001):
        with pytest.raises(HistoryCompacted):
            store.since("things", version)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES))), max_size=20))
def test_dependents_are_those_that_name_the_owner(
    steps: list[tuple[str, set[str]]],
) -> None:
    store = Store()
    for name, owners in steps:
        references = [{"uid": f"uid-{each}"} for each in sorted(owners)]
        meta = {"name": name, "uid": f"uid-{name}", "ownerReferences": references}
        store.put("things", {"metadata": meta})
    held = store.objects("things")
    for owner in NAMES:
        expected = {
            each["metadata"]["name"]
            for each in held
            if {"uid": f"uid-{owner}"} in each["metadata"]["ownerReferences"]
        }
        assert {ref.key[1] for ref in store.dependents(f"uid-{owner}")} == expected
