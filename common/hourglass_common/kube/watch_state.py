"""List and watch one kind, as a state machine. Pure: no socket, no clock, no randomness.

    Listing --(page)-------------------> Listing (next page), after the last one Watching
    Listing --(broke)------------------> Waiting, then Listing from the first page
    Watching --(event, bookmark)-------> Watching, from the version it carries
    Watching --(ended, broke, ERROR)---> Waiting, then Watching from the last version
    Watching --(410, in either form)---> Waiting, then Listing: compared with the cache, so that
                                         deletions are noticed

An object deleted and made anew under its old name is two objects: the change is a deletion
and an addition. The cache is not part of the state: ``advance`` reads it and returns the changes,
``apply_change`` makes them.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hourglass_common.domain.backoff import Backoff

Manifest = Mapping[str, Any]
Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-wide object is empty."""

BACKOFF = Backoff(minimum=0.5, maximum=2.0, jitter=0.5)
"""Between tries to watch, or to list, on a server that fails: it is noticed soon to be back."""
RELIST = Backoff(minimum=0.5, maximum=30.0, jitter=0.5)
"""Between whole lists that a server makes necessary by 410: each is work for it."""
STEADY_SECONDS = 1.0
"""A watch that ends sooner without a word has failed, whatever its status said."""


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
    """A watch from ``version`` is open since ``since``. The version is never empty."""

    version: str
    since: float


Phase = Waiting | Listing | Watching


@dataclass(frozen=True, slots=True)
class WatchState:
    """Where the reader of one kind stands.

    ``failures`` counts those since a watch last worked: a list alone does not reset it, or a
    server that answers every watch with 410 would be listed without a pause.
    """

    phase: Phase = Listing()
    synced: bool = False
    failures: int = 0
    relists: int = 0
    """Of the failures, those by 410."""


@dataclass(frozen=True, slots=True)
class PageRead:
    items: tuple[Manifest, ...]
    resource_version: str
    continue_: str = ""


@dataclass(frozen=True, slots=True)
class EventRead:
    """One line of a watch, as the server sent it."""

    event: Manifest


@dataclass(frozen=True, slots=True)
class Ended:
    """The request is over without an error: a watch that reached its time."""


@dataclass(frozen=True, slots=True)
class Broke:
    """The request failed, at its start or midway; ``gone`` for HTTP 410."""

    gone: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The wait is over."""


Input = PageRead | EventRead | Ended | Broke | TimeUp


def advance(
    state: WatchState, cache: Mapping[Key, Manifest], read: Input, *, now: float, u: float
) -> tuple[WatchState, tuple[Change, ...]]:
    """Return the state after ``read``, and the changes to make to ``cache``, in order.

    ``now`` is monotonic seconds, ``u`` random in [0, 1). An input that its phase does not expect
    changes nothing.
    """
    phase = state.phase
    match phase, read:
        case Listing(), PageRead():
            return _page(state, phase, cache, read, now)
        case Watching(), EventRead(event):
            return _event(state, phase, cache, event, now=now, u=u)
        case Watching(version, since), Ended() if now - since >= STEADY_SECONDS:
            return WatchState(Waiting(now, version), state.synced), ()
        case Watching(version), Ended():
            return _back_off(state, version, 0.0, now, u), ()
        case Watching(version), Broke(gone=False, retry_after=retry_after):
            return _back_off(state, version, retry_after or 0.0, now, u), ()
        case _, Broke(gone=gone, retry_after=retry_after):
            return _back_off(state, "", retry_after or 0.0, now, u, gone=gone), ()
        case Waiting(version=""), TimeUp():
            return replace(state, phase=Listing()), ()
        case Waiting(version=version), TimeUp():
            return replace(state, phase=Watching(version, now)), ()
        case _:
            return state, ()


def apply_change(cache: MutableMapping[Key, Manifest], change: Change) -> None:
    """Make one change that ``advance`` returned."""
    if change.new is None:
        del cache[change.key]
    else:
        cache[change.key] = change.new


def key_of(manifest: Manifest) -> Key:
    """Return the (namespace, name) of an object."""
    meta = manifest["metadata"]
    return meta.get("namespace") or "", meta["name"]


def sharing(old: Any, new: Any) -> Any:
    """Return ``new``, built from the parts of ``old`` that are equal to its own.

    However many versions of an object somebody holds, what did not change is in memory once.
    """
    if old == new:
        return old
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {key: sharing(old[key], part) if key in old else part for key, part in new.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [sharing(before, after) for before, after in zip(old, new, strict=True)]
    return new


def _page(
    state: WatchState, phase: Listing, cache: Mapping[Key, Manifest], page: PageRead, now: float
) -> tuple[WatchState, tuple[Change, ...]]:
    seen = phase.seen + page.items
    if page.continue_:
        return replace(state, phase=Listing(seen, page.continue_)), ()
    fresh = {key_of(item): item for item in seen}
    gone = tuple(
        Change("deleted", key, old, None) for key, old in cache.items() if key not in fresh
    )
    put = tuple(change for key, new in fresh.items() for change in _put(key, cache.get(key), new))
    # A list without a version can not be followed; listing again after a wait is all that is left.
    watching = Watching(page.resource_version, now) if page.resource_version else None
    phase_after = watching or Waiting(now + RELIST.maximum)
    return replace(state, phase=phase_after, synced=True), gone + put


def _put(key: Key, old: Manifest | None, new: Manifest) -> Iterator[Change]:
    """Yield the changes of putting ``new`` where ``old`` was."""
    if old is None:
        yield Change("added", key, None, new)
        return
    before, after = old["metadata"], new["metadata"]
    if before.get("uid") != after.get("uid"):
        yield Change("deleted", key, old, None)
        yield Change("added", key, None, new)
    elif before.get("resourceVersion") != after.get("resourceVersion"):
        yield Change("modified", key, old, new)


def _event(
    state: WatchState,
    phase: Watching,
    cache: Mapping[Key, Manifest],
    event: Manifest,
    *,
    now: float,
    u: float,
) -> tuple[WatchState, tuple[Change, ...]]:
    body = event.get("object") or {}
    kind = event.get("type")
    if kind == "ERROR":
        retry_after = (body.get("details") or {}).get("retryAfterSeconds")
        gone = body.get("code") == 410 or body.get("reason") in ("Expired", "Gone")
        return advance(state, cache, Broke(gone, retry_after), now=now, u=u)
    version = (body.get("metadata") or {}).get("resourceVersion")
    if not version:
        return state, ()  # the version that is known stays: "None" is never asked for
    after = replace(state, phase=replace(phase, version=version), failures=0, relists=0)
    match kind:
        case "ADDED" | "MODIFIED":
            key = key_of(body)
            return after, tuple(_put(key, cache.get(key), body))
        case "DELETED":
            key = key_of(body)
            old = cache.get(key)
            return after, () if old is None else (Change("deleted", key, old, None),)
        case _:
            return after, ()  # BOOKMARK


def _back_off(
    state: WatchState,
    version: str,
    at_least: float,
    now: float,
    u: float,
    *,
    gone: bool = False,
) -> WatchState:
    """Wait before the next try, the first one too: all who lost one server come back at once.

    A watch that lasted has worked, even if nothing changed and it was cut for its silence.
    """
    phase = state.phase
    lasted = isinstance(phase, Watching) and now - phase.since >= STEADY_SECONDS
    failures = 1 if lasted else state.failures + 1
    relists = (0 if lasted else state.relists) + gone
    # An outage does not make the list after it wait: only lists that were in vain do.
    pause = RELIST.delay(relists, u) if gone else BACKOFF.delay(failures, u)
    waiting = Waiting(now + max(pause, at_least), version)
    return replace(state, phase=waiting, failures=failures, relists=relists)
