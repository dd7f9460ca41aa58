"""List and watch one kind, as a state machine. Pure: no socket, no clock, no randomness.

    Waiting --(time is up)------------> Listing --(last page)--> Watching
    Listing --(failed)----------------> Waiting (backs off)
    Watching --(ended, cut, errors)---> Waiting, then Watching again from the last version
    Watching --(410, in either form)--> Listing: a list that is compared with the cache, so that
                                        deletions are noticed

An object deleted and made anew under its old name is two objects: the change is a deletion
and an addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hourglass_common.domain.backoff import Backoff

Manifest = Mapping[str, Any]
Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-wide object is empty."""

BACKOFF = Backoff(minimum=0.5, maximum=30.0, jitter=0.5)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the cache: ``old`` is None for "added", ``new`` for "deleted"."""

    kind: Literal["added", "modified", "deleted"]
    key: Key
    old: Manifest | None
    new: Manifest | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing is asked until ``until``; ``version`` "" means that a list comes next."""

    until: float
    version: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list is being read, page by page."""

    seen: tuple[Manifest, ...] = ()
    continue_: str = ""


@dataclass(frozen=True, slots=True)
class Watching:
    version: str


Phase = Waiting | Listing | Watching


@dataclass(frozen=True, slots=True)
class WatchState:
    """The cache of one kind and where its reader stands. ``failures`` counts those in a row."""

    phase: Phase = field(default_factory=Listing)
    objects: Mapping[Key, Manifest] = field(default_factory=dict)
    synced: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class PageRead:
    items: tuple[Manifest, ...]
    resource_version: str
    continue_: str


@dataclass(frozen=True, slots=True)
class EventRead:
    """One line of a watch, as the server sent it."""

    event: Manifest


@dataclass(frozen=True, slots=True)
class Ended:
    """The request is over without an error: a watch that reached its time."""


@dataclass(frozen=True, slots=True)
class Broke:
    """The request failed; ``gone`` for HTTP 410."""

    gone: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The wait is over."""


Input = PageRead | EventRead | Ended | Broke | TimeUp


def advance(
    state: WatchState, read: Input, *, now: float, u: float
) -> tuple[WatchState, tuple[Change, ...]]:
    """Return the state after ``read`` and the changes of the cache that it made, in order."""
    match read:
        case PageRead():
            return _page(state, read)
        case EventRead(event):
            return _event(state, event, now=now, u=u)
        case Ended():
            return replace(state, phase=_wait(state, now, failures=0, u=u), failures=0), ()
        case Broke(gone=True):
            return replace(state, phase=_relist_after(state, now, u)), ()
        case Broke(retry_after=retry_after):
            failures = state.failures + 1
            phase = _wait(state, now, failures=failures, u=u, at_least=retry_after or 0.0)
            return replace(state, phase=phase, failures=failures), ()
        case TimeUp():
            version = state.phase.version if isinstance(state.phase, Waiting) else ""
            return replace(state, phase=Watching(version) if version else Listing()), ()


def key_of(manifest: Manifest) -> Key:
    """Return the (namespace, name) of an object."""
    meta = manifest["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _page(state: WatchState, page: PageRead) -> tuple[WatchState, tuple[Change, ...]]:
    listing = state.phase if isinstance(state.phase, Listing) else Listing()
    seen = listing.seen + page.items
    if page.continue_:
        return replace(state, phase=Listing(seen, page.continue_)), ()
    fresh = {key_of(item): item for item in seen}
    changes: list[Change] = []
    for key, old in state.objects.items():
        if key not in fresh:
            changes.append(Change("deleted", key, old, None))
    for key, new in fresh.items():
        changes += _set(key, state.objects.get(key), new)
    watching = Watching(page.resource_version)
    return WatchState(watching, fresh, synced=True), tuple(changes)


def _set(key: Key, old: Manifest | None, new: Manifest) -> list[Change]:
    """Return the changes of putting ``new`` where ``old`` was."""
    if old is None:
        return [Change("added", key, None, new)]
    before, after = old["metadata"], new["metadata"]
    if before.get("uid") != after.get("uid"):
        return [Change("deleted", key, old, None), Change("added", key, None, new)]
    if before.get("resourceVersion") == after.get("resourceVersion"):
        return []
    return [Change("modified", key, old, new)]


def _event(
    state: WatchState, event: Manifest, *, now: float, u: float
) -> tuple[WatchState, tuple[Change, ...]]:
    body = event.get("object") or {}
    kind = event.get("type")
    if kind == "ERROR":
        gone = body.get("code") == 410
        return advance(state, Broke(gone=gone), now=now, u=u)
    version = (body.get("metadata") or {}).get("resourceVersion")
    if not version:
        return state, ()  # never ask for "None": keep the version that is known
    state = replace(state, phase=Watching(version), failures=0)
    if kind == "BOOKMARK":
        return state, ()
    key = key_of(body)
    old = state.objects.get(key)
    objects = dict(state.objects) if not isinstance(state.objects, dict) else state.objects
    if kind == "DELETED":
        if old is None:
            return state, ()
        objects.pop(key)
        return replace(state, objects=objects), (Change("deleted", key, old, None),)
    changes = _set(key, old, body)
    objects[key] = body
    return replace(state, objects=objects), tuple(changes)


def _wait(
    state: WatchState, now: float, *, failures: int, u: float, at_least: float = 0.0
) -> Waiting:
    version = state.phase.version if isinstance(state.phase, Watching) else ""
    delay = BACKOFF.delay(failures, u) if failures else 0.0
    return Waiting(now + max(delay, at_least), version)


def _relist_after(state: WatchState, now: float, u: float) -> Waiting:
    """A first 410 lists at once; one that follows failures waits like any failure."""
    delay = BACKOFF.delay(state.failures, u) if state.failures else 0.0
    return Waiting(now + delay)
