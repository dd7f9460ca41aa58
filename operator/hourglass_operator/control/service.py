"""PerformerControl over the operator's own caches and client."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import annotations
from hourglass_common.kube.resources import GROUP, PERFORMERS, Manifest
from hourglass_common.kube.watch_state import Key
from hourglass_services.control.port import (
    Creation,
    Filter,
    PerformerPage,
    PerformerView,
    WatchEvent,
)

from .caches import Caches
from .failures import not_found, told
from .views import Views
from .watching import watch

FIELD_MANAGER = "hourglass-control"
REQUEST_ID = f"{GROUP}/request-id"
REQUEST_DIGEST = f"{GROUP}/request-digest"


class PerformerControl:
    """Implements ``PerformerControlPort``; reads are from the caches, writes wait to be seen."""

    def __init__(self, client: KubeClient, caches: Caches) -> None:
        self._client = client
        self._views = Views(caches)

    async def create(self, creation: Creation) -> PerformerView:
        self._views.synced()
        digest = _digest(creation)
        with told(creation.namespace, creation.name):
            made = await self._create(creation, digest)
        return PerformerView(made) if creation.validate_only else await self._views.seen(made)

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
        self._views.synced()
        found = self._views.objects.get((namespace, name))
        if found is None:
            raise not_found(namespace, name)
        return self._views.view((namespace, name), found)

    async def list(self, wanted: Filter, page_size: int, page_token: str) -> PerformerPage:
        self._views.synced()
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
        objects = self._views.objects
        keys = sorted(k for k, m in objects.items() if wanted.matches(m))
        if after is not None:
            keys = [key for key in keys if key > after]
        page = keys[:page_size]
        token = "/".join(page[-1]) if len(keys) > len(page) else ""
        return PerformerPage(tuple(self._views.view(key, objects[key]) for key in page), token)

    async def delete(self, namespace: str, name: str, etag: str, uid: str = "") -> None:
        self._views.synced()
        key = (namespace, name)
        with told(namespace, name):
            if not uid:
                found = self._views.objects.get(key)
                if found is None:
                    found = await self._client.get(PERFORMERS, namespace, name)
                uid = str(found["metadata"]["uid"])
            await self._client.delete(
                PERFORMERS, namespace, name, precondition=Precondition(uid, etag or None)
            )

        def gone_or_going() -> bool:
            now = self._views.objects.get(key)
            if now is None or now["metadata"].get("uid") != uid:
                return True
            return bool(now["metadata"].get("deletionTimestamp"))

        await self._views.wait(gone_or_going)

    def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        return watch(self._views, wanted, resume_token)

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


def _digest(creation: Creation) -> str:
    content = {"spec": creation.spec, "labels": dict(creation.labels)}
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
