"""Performers as they are shown: put together from the caches, and compared when one changes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.objects import SERVICE_NAME, labels
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Change, Key
from hourglass_services.control.port import EventKind, PerformerView

from hourglass_operator.planning.naming import PERFORMER_LABEL, service_name, staged_service_name

from .caches import Caches, version_of
from .endpoints import NOBODY, Members, endpoints, matters, piece_of, with_piece, without
from .feed import HISTORY, OBJECT, Entry, Feed, Undo

CACHE_WAIT_SECONDS = 2.0
_SLICES = "slices"
_POD = "pod/"


class Views:
    """The performers of ``caches`` with their endpoints, and the feed of what changes in them."""

    def __init__(self, caches: Caches, *, history: int = HISTORY) -> None:
        self.caches = caches
        self.moved = asyncio.Event()
        """Set, and replaced, whenever a cache has changed."""
        self._feed: Feed | None = None
        self._history = history
        self._members: dict[Key, Members] = {}
        self._pods: dict[Key, tuple[str, ...]] = {}
        self._shown: dict[Key, PerformerView] = {}
        listeners = [
            (caches.pods, self._on_pod),
            (caches.endpoint_slices, self._on_slice),
            (caches.performers, self._on_performer),
        ]
        for cache, listener in listeners:
            if cache is not None:
                for key, manifest in cache.objects.items():
                    listener(Change("added", key, None, manifest))
                cache.listen(listener)
        for cache in caches.beside():
            cache.listen(self._on_other)

    @property
    def objects(self) -> Mapping[Key, Manifest]:
        """The Performer objects."""
        return self.caches.performers.objects

    def synced(self) -> Feed:
        """Return the feed; UNAVAILABLE until the caches hold a whole picture to begin it from."""
        feed = self._begun()
        if feed is None:
            raise HourglassError(
                Code.UNAVAILABLE,
                f"not ready: waiting for the list of {self.caches.unsynced()}",
                reason="CACHE_NOT_SYNCED",
                retry_after=1.0,
            )
        return feed

    def view(self, key: Key, manifest: Manifest) -> PerformerView:
        """Return what is shown of a performer whose object is ``manifest``."""
        shown = self._shown.get(key)
        return shown if shown and shown.manifest is manifest else self._view(key, manifest, {})

    def at(self, key: Key, undo: Undo) -> PerformerView | None:
        """Return a performer with some of its parts as they were before; None if there was none."""
        manifest = cast("Manifest | None", undo.get(OBJECT, self.objects.get(key)))
        if manifest is None:
            return None
        return self._view(key, manifest, undo) if undo else self.view(key, manifest)

    async def seen(self, made: Manifest) -> PerformerView:
        """Return the object once the cache holds it: the caller's next read sees it too."""
        key = (made["metadata"]["namespace"], made["metadata"]["name"])
        version = int(made["metadata"]["resourceVersion"])

        def is_cached() -> bool:
            now = self.objects.get(key)
            return now is not None and int(now["metadata"]["resourceVersion"]) >= version

        await self.wait(is_cached)
        return self.view(key, self.objects.get(key, made))

    async def wait(
        self, true: Callable[[], bool], seconds: float | None = CACHE_WAIT_SECONDS
    ) -> bool:
        """Return whether the caches made it true within ``seconds``; None is without an end."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    await self.moved.wait()
        except TimeoutError:
            return False
        return True

    def _begun(self) -> Feed | None:
        """Return the feed, which begins as soon as all is known; None before that."""
        if self._feed is None and not self.caches.unsynced():
            self._feed = Feed(self.caches.versions(), self.caches.newest(), history=self._history)
        return self._feed

    def _view(self, key: Key, manifest: Manifest, undo: Undo) -> PerformerView:
        members = cast("Members", undo.get(_SLICES, self._members.get(key, NOBODY)))
        pods = {name: self.caches.pod(key[0], name) for name in self._pods.get(key, ())}
        for part, before in undo.items():
            if part.startswith(_POD):
                pods[part.removeprefix(_POD)] = cast("Manifest | None", before)
        known = {name: pod for name, pod in pods.items() if pod is not None}
        return PerformerView(manifest, endpoints(key, manifest, members, known))

    def _on_performer(self, change: Change) -> None:
        self._record(self.caches.performers, change, change.key, OBJECT, change.old)
        if change.new is None:
            old = self._shown.pop(change.key, None)
            if self._feed is not None:
                view = old or PerformerView(change.old or {})
                self._feed.publish(EventKind.DELETED, view)
        else:
            self._show(change.key, change.new)
        self._wake()

    def _on_slice(self, change: Change) -> None:
        slice_ = change.new or change.old or {}
        service = labels(slice_).get(SERVICE_NAME, "")
        # The label came from the Service: it tells performer x-staged from x's staged Service.
        name = labels(slice_).get(PERFORMER_LABEL) or service.removeprefix(service_name(""))
        if service not in (service_name(name), staged_service_name(name)):
            self._reach(self.caches.endpoint_slices, change)
            return
        (namespace, own_name), staged = change.key, service != service_name(name)
        key = (namespace, name)
        before = self._members.get(key, NOBODY)
        piece = None if change.new is None else piece_of(own_name, change.new, staged=staged)
        after = with_piece(before, own_name, piece, lambda pod: self._lives(namespace, pod))
        if after == before:
            self._reach(self.caches.endpoint_slices, change)
            return
        self._put(key, after)
        self._record(self.caches.endpoint_slices, change, key, _SLICES, before)
        self._refresh(key)

    def _on_pod(self, change: Change) -> None:
        assert self.caches.pods is not None
        namespace, pod = change.key
        name = _performer(change.old) or _performer(change.new)
        if not name or not matters(change.old, change.new):
            self._reach(self.caches.pods, change)
            return
        key = (namespace, name)
        others = tuple(each for each in self._pods.get(key, ()) if each != pod)
        now = (*others, pod) if _performer(change.new) == name else others
        if now:
            self._pods[key] = now
        else:
            self._pods.pop(key, None)
        self._record(self.caches.pods, change, key, f"{_POD}{pod}", change.old)
        before = self._members.get(key, NOBODY)
        if pod not in now and pod in before.left:
            self._record(self.caches.pods, change, key, _SLICES, before)
            self._put(key, without(before, pod))
        self._refresh(key)

    def _on_other(self, _: Change) -> None:
        self._wake()

    def _put(self, key: Key, members: Members) -> None:
        if members == NOBODY:
            self._members.pop(key, None)
        else:
            self._members[key] = members

    def _lives(self, namespace: str, pod: str) -> bool:
        return self.caches.pod(namespace, pod) is not None

    def _record(self, cache: Cache, change: Change, key: Key, part: str, before: object) -> None:
        """Keep a change of a part of what is shown."""
        slot, version = self._reach(cache, change)
        if self._feed is not None:
            self._feed.record(Entry(slot, version, key, part, before))

    def _reach(self, cache: Cache, change: Change) -> tuple[int, int]:
        """Take note of how far a cache has got, and return its place and version."""
        slot = self.caches.slot(cache, change.key[0])
        feed = self._begun()
        if feed is None:
            return slot, 0
        listed, version = self.caches.listed(), self.caches.versions()[slot]
        feed.listed(listed)
        newest = version
        if version == listed[slot]:
            newest = 0 if change.new is None else version_of(change.new)
        feed.reach(slot, version, newest)
        return slot, version

    def _refresh(self, key: Key) -> None:
        manifest = self.objects.get(key)
        if manifest is not None:
            self._show(key, manifest)
        self._wake()

    def _show(self, key: Key, manifest: Manifest) -> None:
        """Publish the performer if watchers would see a difference."""
        view = self._view(key, manifest, {})
        old = self._shown.get(key)
        if old is not None and old.endpoints == view.endpoints and old.manifest is manifest:
            return
        self._shown[key] = view
        if self._feed is not None:
            kind = EventKind.ADDED if old is None else EventKind.MODIFIED
            self._feed.publish(kind, view, old.manifest if old is not None else None)

    def _wake(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()


def _performer(pod: Manifest | None) -> str:
    return labels(pod).get(PERFORMER_LABEL, "") if pod is not None else ""
