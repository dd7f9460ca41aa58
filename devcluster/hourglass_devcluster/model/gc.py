"""Garbage collection by owner: what is to be done about one object. No I/O.

The three ways of Kubernetes: *background* (the owner goes, its dependents follow),
*foreground* (the owner waits, with a finalizer, for those that block it) and *orphan* (the
dependents lose the reference, then the owner goes).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete it, with this propagation policy."""

    propagation: str


@dataclass(frozen=True, slots=True)
class DropOwners:
    """Remove the references to these owners, which are gone."""

    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class DropFinalizer:
    """The wait is over: remove this finalizer."""

    finalizer: str


Step = Delete | DropOwners | DropFinalizer


def examine(
    manifest: Manifest, owner: Callable[[str], Manifest | None], dependents: Sequence[Manifest]
) -> Step | None:
    """Return the next step for ``manifest``; None when it is to stay as it is.

    ``owner`` finds a living object by uid. Ask again after each step.
    """
    meta = manifest["metadata"]
    finalizers = meta.get("finalizers") or ()
    if meta.get("deletionTimestamp"):
        if ORPHAN in finalizers and not dependents:
            return DropFinalizer(ORPHAN)
        if FOREGROUND in finalizers and not any(_blocks(each, meta["uid"]) for each in dependents):
            return DropFinalizer(FOREGROUND)
    references = meta.get("ownerReferences") or ()
    if not references:
        return None
    owners = {each["uid"]: owner(each["uid"]) for each in references}
    gone = frozenset(uid for uid, found in owners.items() if found is None)
    orphaning = frozenset(uid for uid, found in owners.items() if _leaves(found, ORPHAN))
    waiting = [found for found in owners.values() if _leaves(found, FOREGROUND)]
    if orphaning:
        return DropOwners(orphaning)
    if len(owners) > len(gone) + len(waiting):
        return DropOwners(gone) if gone else None
    if meta.get("deletionTimestamp"):
        return None
    if waiting and dependents:
        return Delete("Foreground")
    return Delete("Background")


def touched_by_removal(removed: Manifest) -> list[str]:
    """Return the uids of the owners to examine again once ``removed`` is gone."""
    return [each["uid"] for each in removed["metadata"].get("ownerReferences") or ()]


def _leaves(owner: Manifest | None, finalizer: str) -> bool:
    if owner is None or not owner["metadata"].get("deletionTimestamp"):
        return False
    return finalizer in (owner["metadata"].get("finalizers") or ())


def _blocks(dependent: Manifest, owner_uid: str) -> bool:
    return any(
        each["uid"] == owner_uid and each.get("blockOwnerDeletion")
        for each in dependent["metadata"].get("ownerReferences") or ()
    )
