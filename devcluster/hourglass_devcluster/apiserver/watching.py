"""Watches: a stream of JSON lines that follows the store's history of changes."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web
from hourglass_common.domain.clock import Clock

from hourglass_devcluster.model.kinds import Kind
from hourglass_devcluster.model.selectors import Predicate
from hourglass_devcluster.model.status import expired
from hourglass_devcluster.model.store import Change, HistoryCompacted, Store

from .answers import shown
from .request import Form

Manifest = Mapping[str, Any]

BOOKMARK_SECONDS = 30.0  # well below the 90 s after which clients give a silent stream up
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Bell:
    """Wakes the watchers of a storage; one without news sleeps, however busy the others are."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.closing = False

    def ring(self, storage: str) -> None:
        for event in self._waiting.get(storage, ()):
            event.set()

    def close(self) -> None:
        """End every watch, now and later."""
        self.closing = True
        for storage in self._waiting:
            self.ring(storage)

    def join(self, storage: str) -> asyncio.Event:
        event = asyncio.Event()
        self._waiting.setdefault(storage, set()).add(event)
        return event

    def leave(self, storage: str, event: asyncio.Event) -> None:
        self._waiting[storage].discard(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What one watcher asked for. ``since`` None starts with the objects that are there."""

    kind: Kind
    namespace: str
    matches: Predicate | None
    since: int | None
    bookmarks: bool
    mark_initial: bool
    timeout_seconds: float
    form: Form
    form_version: str
    include: str = "Metadata"

    def event(self, change: Change) -> tuple[str, Manifest] | None:
        """Return the event that this watcher sees of ``change``, None if it sees nothing."""
        if self.namespace and change.key[0] != self.namespace:
            return None
        if self.matches is None:
            return change.type, change.new
        is_match = change.type != "DELETED" and self.matches(change.new)
        was_match = change.old is not None and self.matches(change.old)
        if is_match:
            return ("MODIFIED" if was_match else "ADDED"), change.new
        if not was_match:
            return None
        if change.type == "DELETED" or change.old is None:
            return "DELETED", change.new
        return "DELETED", _at_version(change.old, change.version)


async def stream(
    request: web.Request, watch: Watch, store: Store, bell: Bell, clock: Clock
) -> web.StreamResponse:
    """Answer a watch until its timeout, the client's leave or the server's end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    storage = watch.kind.stored_as
    news = bell.join(storage)
    try:
        seen = store.version if watch.since is None else watch.since
        first = _initial(watch, store, clock)
        await response.prepare(request)
        if first:
            await response.write(first)
        await _follow(response, watch, store, bell, clock, news, seen)
    except ConnectionResetError:
        pass  # the watcher has left
    finally:
        bell.leave(storage, news)
    return response


async def _follow(
    response: web.StreamResponse,
    watch: Watch,
    store: Store,
    bell: Bell,
    clock: Clock,
    news: asyncio.Event,
    seen: int,
) -> None:
    ends_at = clock.monotonic() + watch.timeout_seconds
    while not bell.closing:
        news.clear()
        try:
            changes = store.since(watch.kind.stored_as, seen)
        except HistoryCompacted as exc:
            body = expired(exc.version, exc.oldest).body()
            await response.write(_line("ERROR", body))
            return
        if changes:
            seen = changes[-1].version
            if lines := _lines(watch, changes, clock):
                await response.write(lines)
            continue
        left = ends_at - clock.monotonic()
        try:
            async with asyncio.timeout(min(left, BOOKMARK_SECONDS)):
                await news.wait()
        except TimeoutError:
            # Nothing of this storage happened since: every later version is as good.
            seen = store.version
            if watch.bookmarks:
                await response.write(_bookmark(watch, seen))
            if clock.monotonic() >= ends_at:
                return


def _initial(watch: Watch, store: Store, clock: Clock) -> bytes:
    if watch.since is not None:
        return b""
    found = store.objects(watch.kind.stored_as, watch.namespace)
    events = (("ADDED", each) for each in found if watch.matches is None or watch.matches(each))
    lines = _encoded(watch, events, clock)
    if watch.mark_initial:
        lines += _bookmark(watch, store.version, {_INITIAL_EVENTS_END: "true"})
    return lines


def _lines(watch: Watch, changes: Iterable[Change], clock: Clock) -> bytes:
    events = (watch.event(change) for change in changes)
    return _encoded(watch, (event for event in events if event is not None), clock)


def _encoded(watch: Watch, events: Iterable[tuple[str, Manifest]], clock: Clock) -> bytes:
    now = clock.wall()
    return b"".join(
        _line(
            kind,
            shown(watch.kind, manifest, watch.form, watch.form_version, now, watch.include),
        )
        for kind, manifest in events
    )


def _bookmark(watch: Watch, version: int, annotations: Mapping[str, str] | None = None) -> bytes:
    meta: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        meta["annotations"] = dict(annotations)
    if watch.form == "table":
        api_version, kind = f"meta.k8s.io/{watch.form_version}", "Table"
    else:
        api_version, kind = watch.kind.api_version, watch.kind.kind
    return _line("BOOKMARK", {"kind": kind, "apiVersion": api_version, "metadata": meta})


def _line(kind: str, body: Any) -> bytes:
    return orjson.dumps({"type": kind, "object": body}, option=orjson.OPT_APPEND_NEWLINE)


def _at_version(manifest: Manifest, version: int) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(version)}}
