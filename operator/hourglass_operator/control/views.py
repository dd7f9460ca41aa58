"""Performers as they are shown: put together from the caches, and compared when one changes."""

import asyncio
from collections.abc import Callable, Mapping

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.objects import SERVICE_NAME, endpoints_of, labels
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Change, Key
from hourglass_services.control.port import EventKind, PerformerView

from hourglass_operator.planning.naming import PERFORMER_LABEL, REVISION_LABEL, SERVING_LABEL

from .caches import Caches
from .feed import Feed

CACHE_WAIT_SECONDS = 2.0


class Views:
    """The performers of ``caches`` with their endpoints, and the feed of what changes in them."""

    def __init__(self, caches: Caches) -> None:
        self.caches = caches
        self.moved = asyncio.Event()
        """Set, and replaced, whenever a cache has changed."""
        self._feed: Feed | None = None
        self._slices: dict[Key, dict[Key, Manifest]] = {}
        self._shown: dict[Key, PerformerView] = {}
        for key, slice_ in caches.endpoint_slices.objects.items():
            self._on_slice(Change("added", key, None, slice_))
        for key, performer in caches.performers.objects.items():
            self._show(key, performer)
        caches.performers.listen(self._on_performer)
        caches.endpoint_slices.listen(self._on_slice)
        if caches.pods is not None:
            caches.pods.listen(self._on_pod)
        for cache in caches.beside():
            cache.listen(self._on_other)

    @property
    def objects(self) -> Mapping[Key, Manifest]:
        """The Performer objects."""
        return self.caches.performers.objects

    def synced(self) -> Feed:
        """Return the feed; UNAVAILABLE until the caches hold a whole picture to begin it from."""
        if self._feed is None:
            missing = self.caches.unsynced()
            if missing:
                raise HourglassError(
                    Code.UNAVAILABLE,
                    f"not ready: waiting for the list of {missing}",
                    reason="CACHE_NOT_SYNCED",
                    retry_after=1.0,
                )
            self._feed = Feed(self.caches.versions())
        return self._feed

    def view(self, key: Key, manifest: Manifest) -> PerformerView:
        """Return what is shown of a performer whose object is ``manifest``."""
        endpoints: list[Endpoint] = []
        for found in endpoints_of(self._slices.get(key, {}).values()):
            pod = self.caches.pod(key[0], found.pod)
            marks: Mapping[str, str] = labels(pod) if pod is not None else {}
            draining = found.terminating or marks.get(SERVING_LABEL, "true") != "true"
            endpoints.append(
                Endpoint(
                    performer_id=f"{key[0]}/{key[1]}",
                    revision=marks.get(REVISION_LABEL, ""),
                    instance=found.pod,
                    address=found.target,
                    role=Role.DRAINING if draining else Role.IN_SERVICE,
                    ready=found.ready,
                )
            )
        return PerformerView(manifest, tuple(endpoints))

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

    def _on_performer(self, change: Change) -> None:
        if change.new is None:
            old = self._shown.pop(change.key, None)
            view = old or PerformerView(change.old or {})
            if self._feed is not None:
                self._feed.publish(EventKind.DELETED, view, self.caches.versions())
        else:
            self._show(change.key, change.new)
        self._wake()

    def _on_slice(self, change: Change) -> None:
        slice_ = change.new or change.old or {}
        service = labels(slice_).get(SERVICE_NAME, "")
        # The label came from the Service: it tells performer x-staged from x's staged Service.
        name = labels(slice_).get(PERFORMER_LABEL) or service.removeprefix("performer-")
        if service != f"performer-{name}":
            return
        key = (change.key[0], name)
        known = self._slices.setdefault(key, {})
        if change.new is None:
            known.pop(change.key, None)
        else:
            known[change.key] = change.new
        if not known:
            self._slices.pop(key)
        self._refresh(key)

    def _on_pod(self, change: Change) -> None:
        pod = change.new or change.old or {}
        name = labels(pod).get(PERFORMER_LABEL)
        if name:
            self._refresh((change.key[0], name))

    def _on_other(self, _: Change) -> None:
        self._wake()

    def _refresh(self, key: Key) -> None:
        manifest = self.objects.get(key)
        if manifest is not None:
            self._show(key, manifest)
        self._wake()

    def _show(self, key: Key, manifest: Manifest) -> None:
        """Publish the performer if watchers would see a difference."""
        view = self.view(key, manifest)
        old = self._shown.get(key)
        if old is not None and old.endpoints == view.endpoints and old.manifest is manifest:
            return
        self._shown[key] = view
        if self._feed is not None:
            kind = EventKind.ADDED if old is None else EventKind.MODIFIED
            before = old.manifest if old is not None else None
            self._feed.publish(kind, view, self.caches.versions(), before)

    def _wake(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()
