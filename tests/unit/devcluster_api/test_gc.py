"""Garbage collection by owner."""

from typing import Any

import pytest
from hourglass_devcluster.model.gc import Delete, DropFinalizer, DropOwners, Step, examine


def an_object(
    uid: str, *owners: str, finalizers: tuple[str, ...] = (), deleting: bool = False
) -> dict[str, Any]:
    meta: dict[str, Any] = {"uid": uid}
    if owners:
        meta["ownerReferences"] = [{"uid": each, "blockOwnerDeletion": True} for each in owners]
    if finalizers:
        meta["finalizers"] = list(finalizers)
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": meta}


def ask(examined: dict[str, Any], *others: dict[str, Any]) -> Step | None:
    living = {each["metadata"]["uid"]: each for each in (examined, *others)}
    uid = examined["metadata"]["uid"]
    dependents = [
        each
        for each in others
        if uid in [one["uid"] for one in each["metadata"].get("ownerReferences", ())]
    ]
    return examine(examined, living.get, dependents)


def test_an_object_without_owners_stays() -> None:
    assert ask(an_object("a")) is None


def test_an_object_whose_owner_lives_stays() -> None:
    assert ask(an_object("a", "o"), an_object("o")) is None


def test_an_object_whose_owner_is_gone_is_deleted() -> None:
    assert ask(an_object("a", "o")) == Delete("Background")


def test_one_living_owner_of_two_is_enough() -> None:
    assert ask(an_object("a", "o", "gone"), an_object("o")) == DropOwners(frozenset({"gone"}))


@pytest.mark.parametrize("finalizer", ["foregroundDeletion", "orphan"])
def test_an_owner_waits_for_those_that_depend_on_it(finalizer: str) -> None:
    owner = an_object("o", finalizers=(finalizer,), deleting=True)
    assert ask(owner, an_object("a", "o")) is None
    assert ask(owner) == DropFinalizer(finalizer)


def test_the_dependents_of_a_waiting_owner_are_deleted() -> None:
    owner = an_object("o", finalizers=("foregroundDeletion",), deleting=True)
    assert ask(an_object("a", "o"), owner) == Delete("Background")
    assert ask(an_object("a", "o"), owner, an_object("b", "a")) == Delete("Foreground")


def test_the_dependents_of_an_orphaning_owner_lose_it() -> None:
    owner = an_object("o", finalizers=("orphan",), deleting=True)
    assert ask(an_object("a", "o"), owner) == DropOwners(frozenset({"o"}))


def test_an_owner_with_a_foreign_finalizer_keeps_its_dependents() -> None:
    owner = an_object("o", finalizers=("example.org/hold",), deleting=True)
    assert ask(an_object("a", "o"), owner) is None


def test_a_dependent_that_is_going_is_left_alone() -> None:
    assert ask(an_object("a", "o", deleting=True, finalizers=("x/y",))) is None
