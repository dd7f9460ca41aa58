"""PerformerControl over the operator's own caches and client."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import orjson
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.objects import SERVICE_NAME, annotations, endpoints_of, labels
from hourglass_common.kube.resources import GROUP, PERFORMERS, Manifest
from hourglass_common.kube.watch_state import Change, Key
from hourglass_services.control.port import (
    Creation,
    EventKind,
    Filter,
    PerformerPage,
    PerformerView,
    WatchEvent,
)

from hourglass_operator.planning.naming import PERFORMER_LABEL, REVISION_LABEL, SERVING_LABEL

from .failures import not_found, told
from .feed import Feed, Versions, Watcher, snapshot

FIELD_MANAGER = "hourglass-control"
REQUEST_ID = f"{GROUP}/request-id"
REQUEST_DIGEST = f"{GROUP}/request-digest"
CACHE_WAIT_SECONDS = 2.0
BOOKMARK_SECONDS = 60.0
WATCHERS = 1024


@dataclass(frozen=True)
class Caches:
    """The reflectors that the operator runs anyway; without pods, revisions are not told."""

    performers: Cache
    endpoint_slices: Cache
    pods: Cache | None = None

    def all(self) -> tuple[Cache, ...]:
        more = (self.pods,) if self.pods else ()
        return (self.performers, self.endpoint_slices, *more)

    def versions(self) -> Versions:
        """The resourceVersions reached; 0 where one is being listed (again).

        The first number stands for what is followed: a token of other namespaces is not ours.
        """
        reached = (version for cache in self.all() for version in cache.versions)
        return (self.scope, *(int(v) if v.isdecimal() else 0 for v in reached))

    @cached_property
    def scope(self) -> int:
        return crc32(repr([cache.scopes for cache in self.all()]).encode())

    def pod(self, namespace: str, name: str) -> Manifest | None:
        return self.pods.objects.get((namespace, name)) if self.pods else None

    def unsynced(self) -> str:
        """Return the kinds that are not known as a whole: not listed yet, or being listed again."""
        return ", ".join(
            r.resource.plural for r in self.all() if not (r.is_synced and all(r.versions))
        )


class PerformerControl:
    """Implements ``PerformerControlPort``; reads are from the caches, writes wait to be seen."""

    def __init__(self, client: KubeClient, caches: Caches) -> None:
        self._client = client
        self._caches = caches
        self._feed: Feed | None = None
        self._slices: dict[Key, dict[Key, Manifest]] = {}
        self._shown: dict[Key, PerformerView] = {}
        self._moved = asyncio.Event()
        for key, slice_ in caches.endpoint_slices.objects.items():
            self._on_slice(Change("added", key, None, slice_))
        for key, performer in caches.performers.objects.items():
            self._show(key, performer)
        caches.performers.listen(self._on_performer)
        caches.endpoint_slices.listen(self._on_slice)
        if caches.pods is not None:
            caches.pods.listen(self._on_pod)

    async def create(self, creation: Creation) -> PerformerView:
        self._synced()
        digest = _digest(creation)
        with told(creation.namespace, creation.name):
            made = await self._create(creation, digest)
        return PerformerView(made) if creation.validate_only else await self._seen(made)

    async def _create(self, creation: Creation, digest: str) -> Manifest:
        meta: dict[str, Any] = {"namespace": creation.namespace, "name": creation.name}
        if creation.labels:
            meta["labels"] = dict(creation.labels)
        if creation.request_id:
            meta["annotations"] = {REQUEST_ID: creation.request_id, REQUEST_DIGEST: digest}
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": meta,
            "spec": creation.spec,
        }
        try:
            return await self._client.create(
                PERFORMERS,
                creation.namespace,
                body,
                field_manager=FIELD_MANAGER,
                dry_run=creation.validate_only,
            )
        except KubeError as error:
            if not error.is_already_exists or not creation.request_id:
                raise
            return await self._created_before(creation, digest, error)

    async def get(self, namespace: str, name: str) -> PerformerView:
        self._synced()
        found = self._caches.performers.objects.get((namespace, name))
        if found is None:
            raise not_found(namespace, name)
        return self._view((namespace, name), found)

    async def list(self, wanted: Filter, page_size: int, page_token: str) -> PerformerPage:
        self._synced()
        after: Key | None = None
        if page_token:
            namespace, separator, name = page_token.partition("/")
            if not separator:
                raise HourglassError(
                    Code.INVALID_ARGUMENT,
                    "page_token: not one that ListPerformers gave out",
                    hint="start again without a page_token",
                )
            after = (namespace, name)
        objects = self._caches.performers.objects
        keys = sorted(k for k, m in objects.items() if wanted.matches(m))
        if after is not None:
            keys = [key for key in keys if key > after]
        page = keys[:page_size]
        token = "/".join(page[-1]) if len(keys) > len(page) else ""
        return PerformerPage(tuple(self._view(key, objects[key]) for key in page), token)

    async def delete(self, namespace: str, name: str, etag: str, uid: str = "") -> None:
        self._synced()
        key = (namespace, name)
        with told(namespace, name):
            if not uid:
                found = self._caches.performers.objects.get(key)
                if found is None:
                    found = await self._client.get(PERFORMERS, namespace, name)
                uid = str(found["metadata"]["uid"])
            await self._client.delete(
                PERFORMERS, namespace, name, precondition=Precondition(uid, etag or None)
            )

        def gone_or_going() -> bool:
            now = self._caches.performers.objects.get(key)
            if now is None or now["metadata"].get("uid") != uid:
                return True
            return bool(now["metadata"].get("deletionTimestamp"))

        await self._wait(gone_or_going)

    async def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        feed = self._synced()
        if len(feed.watchers) >= WATCHERS:
            raise HourglassError(
                Code.RESOURCE_EXHAUSTED,
                f"{WATCHERS} watches are open, the most allowed",
                reason="TOO_MANY_WATCHES",
                retry_after=10.0,
            )
        watcher = Watcher(wanted)
        feed.watchers.append(watcher)
        try:
            opening = feed.since(resume_token, wanted) if resume_token else None
            if opening is None:
                opening = self._snapshot(feed, wanted, resync=bool(resume_token))
            for event in opening:
                yield event
            async for event in self._follow(feed, watcher):
                yield event
        finally:
            feed.watchers.remove(watcher)

    async def _follow(self, feed: Feed, watcher: Watcher) -> AsyncIterator[WatchEvent]:
        while True:
            moved = self._moved
            events = watcher.take()
            if watcher.missed:
                watcher.missed = False
                events = self._snapshot(feed, watcher.wanted, resync=True)
            for event in events:
                yield event
            try:
                async with asyncio.timeout(BOOKMARK_SECONDS):
                    await moved.wait()
            except TimeoutError:
                if not watcher.idle:
                    continue
                yield WatchEvent(EventKind.BOOKMARK, None, feed.token)

    def _snapshot(self, feed: Feed, wanted: Filter, *, resync: bool) -> tuple[WatchEvent, ...]:
        there = self._caches.performers.objects
        views = (self._view(key, there[key]) for key in sorted(there) if wanted.matches(there[key]))
        return snapshot(views, feed.token, resync=resync)

    def _synced(self) -> Feed:
        """Return the feed; UNAVAILABLE until the caches hold a whole picture to begin it from."""
        if self._feed is None:
            missing = self._caches.unsynced()
            if missing:
                raise HourglassError(
                    Code.UNAVAILABLE,
                    f"not ready: waiting for the list of {missing}",
                    reason="CACHE_NOT_SYNCED",
                    retry_after=1.0,
                )
            self._feed = Feed(self._caches.versions())
        return self._feed

    def _view(self, key: Key, manifest: Manifest) -> PerformerView:
        endpoints: list[Endpoint] = []
        for found in endpoints_of(self._slices.get(key, {}).values()):
            pod = self._caches.pod(key[0], found.pod)
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

    def _on_performer(self, change: Change) -> None:
        if change.new is None:
            old = self._shown.pop(change.key, None)
            view = old or PerformerView(change.old or {})
            if self._feed is not None:
                self._feed.publish(EventKind.DELETED, view, self._caches.versions())
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

    def _refresh(self, key: Key) -> None:
        manifest = self._caches.performers.objects.get(key)
        if manifest is not None:
            self._show(key, manifest)
            self._wake()

    def _show(self, key: Key, manifest: Manifest) -> None:
        """Publish the performer if watchers would see a difference."""
        view = self._view(key, manifest)
        old = self._shown.get(key)
        if old is not None and old.endpoints == view.endpoints and old.manifest is manifest:
            return
        self._shown[key] = view
        if self._feed is not None:
            kind = EventKind.ADDED if old is None else EventKind.MODIFIED
            before = old.manifest if old is not None else None
            self._feed.publish(kind, view, self._caches.versions(), before)

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _created_before(self, creation: Creation, digest: str, error: KubeError) -> Manifest:
        """Answer a repeated request with what the first one made."""
        found = await self._client.get(PERFORMERS, creation.namespace, creation.name)
        marks = annotations(found)
        if marks.get(REQUEST_ID) != creation.request_id:
            raise error
        if marks.get(REQUEST_DIGEST) != digest:
            raise HourglassError(
                Code.ALREADY_EXISTS,
                f"request_id {creation.request_id!r} was used for other content",
                reason="REQUEST_ID_REUSED",
                hint="use a new request_id for each different request",
            )
        return found

    async def _seen(self, made: Manifest) -> PerformerView:
        """Return the object once the cache holds it: the caller's next read sees it too."""
        key = (made["metadata"]["namespace"], made["metadata"]["name"])
        version = int(made["metadata"]["resourceVersion"])

        def is_cached() -> bool:
            now = self._caches.performers.objects.get(key)
            return now is not None and int(now["metadata"]["resourceVersion"]) >= version

        await self._wait(is_cached)
        return self._view(key, self._caches.performers.objects.get(key, made))

    async def _wait(self, true: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(CACHE_WAIT_SECONDS):
                while not true():
                    await self._moved.wait()
        except TimeoutError:
            return  # the write is made; only the cache lags


def _digest(creation: Creation) -> str:
    content = {"spec": creation.spec, "labels": dict(creation.labels)}
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
