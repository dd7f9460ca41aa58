"""The Kubernetes API over raw JSON: one method per verb, every call with a deadline."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlencode

import aiohttp
import orjson

from .answers import decoded, error_of, json_lines
from .connection import Connection
from .errors import KubeUnavailableError
from .resources import Manifest, Resource

Propagation = Literal["Background", "Foreground", "Orphan"]

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"
_PATCH_NAMES = {_APPLY_PATCH: "apply", _MERGE_PATCH: "merge", _JSON_PATCH: "json"}


@dataclass(frozen=True, slots=True)
class Page:
    """A list answer: ``continue_`` is empty on the last page."""

    items: tuple[Manifest, ...]
    resource_version: str
    continue_: str = ""


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must still be true of an object for it to be deleted."""

    uid: str
    resource_version: str | None = None


class KubeClient:
    """Used as an async context manager; closing it cuts its watches off.

    Every method raises ``KubeError`` for an answer that is an error and
    ``KubeUnavailableError`` where there was no answer, or none that can be read.

    A PATCH names its kind after ``user_agent``, as in ``hourglass/0.1.0 (apply)``: an audit log
    records the agent, and not the content type. ``acting_as`` names a user to be taken for: the API
    grants that to whoever may impersonate. ``answered`` is told the method and the status
    code of each answer, ``<error>`` where there was none.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_seconds: float = 15.0,
        user_agent: str = f"hourglass/{version('hourglass')}",
        acting_as: str = "",
        answered: Callable[[str, str], None] | None = None,
    ) -> None:
        self.connection = connection
        self._timeout = timeout_seconds
        self._user_agent = user_agent
        self._acting_as = acting_as
        self._answered = answered
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.connection.ssl_context or True, limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            read_bufsize=1 << 20,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(
        self, resource: Resource, namespace: str | None, name: str, *, subresource: str = ""
    ) -> Manifest:
        return await self._json("GET", resource.path(namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_: str = "",
    ) -> Page:
        """Return one page of a collection; ``namespace`` None means all namespaces."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "limit": str(limit) if limit else "",
            "continue": continue_,
        }
        body = await self._json("GET", resource.path(namespace), query=query)
        meta = body.get("metadata") or {}
        return Page(
            items=tuple(body.get("items") or ()),
            resource_version=meta.get("resourceVersion", ""),
            continue_=meta.get("continue") or "",
        )

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        body: Manifest,
        *,
        field_manager: str = "",
        dry_run: bool = False,
        subresource: str = "",
        name: str = "",
    ) -> Manifest:
        """POST an object; ``name`` and ``subresource`` only for subresources such as eviction."""
        return await self._json(
            "POST",
            resource.path(namespace, name, subresource),
            query=_write_query(field_manager, dry_run),
            body=body,
        )

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        body: Manifest,
        *,
        field_manager: str = "",
        dry_run: bool = False,
        subresource: str = "",
    ) -> Manifest:
        """PUT an object; with ``metadata.resourceVersion`` set, only over that version."""
        return await self._json(
            "PUT",
            resource.path(namespace, body["metadata"]["name"], subresource),
            query=_write_query(field_manager, dry_run),
            body=body,
        )

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        body: Manifest,
        *,
        field_manager: str,
        force: bool = True,
        dry_run: bool = False,
        subresource: str = "",
    ) -> Manifest:
        """Server-side apply: ``body`` must hold everything that ``field_manager`` owns."""
        query = {**_write_query(field_manager, dry_run), "force": "true" if force else ""}
        path = resource.path(namespace, body["metadata"]["name"], subresource)
        return await self._json("PATCH", path, query=query, body=body, content_type=_APPLY_PATCH)

    async def merge_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Manifest,
        *,
        field_manager: str = "",
        dry_run: bool = False,
        subresource: str = "",
    ) -> Manifest:
        """RFC 7386; with ``metadata.resourceVersion`` in ``patch``, only over that version."""
        return await self._json(
            "PATCH",
            resource.path(namespace, name, subresource),
            query=_write_query(field_manager, dry_run),
            body=patch,
            content_type=_MERGE_PATCH,
        )

    async def json_patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        *,
        field_manager: str = "",
        subresource: str = "",
    ) -> Manifest:
        """RFC 6902."""
        return await self._json(
            "PATCH",
            resource.path(namespace, name, subresource),
            query=_write_query(field_manager, dry_run=False),
            body=list(operations),
            content_type=_JSON_PATCH,
        )

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        precondition: Precondition | None = None,
        propagation: Propagation = "Background",
        grace_period_seconds: int | None = None,
    ) -> Manifest:
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if precondition is not None:
            options["preconditions"] = {"uid": precondition.uid}
            if precondition.resource_version is not None:
                options["preconditions"]["resourceVersion"] = precondition.resource_version
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        return await self._json("DELETE", resource.path(namespace, name), body=options)

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout_seconds: int = 300,
        idle_seconds: float = 90.0,
    ) -> AsyncIterator[Manifest]:
        """Yield raw watch events (``type``, ``object``) until the server ends the stream.

        Bookmarks are asked for. An ERROR event is yielded, not raised. ``idle_seconds`` without
        a byte means a dead connection: KubeUnavailableError. Close the iterator when done.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "timeoutSeconds": str(timeout_seconds),
        }
        what = f"watch {resource.plural}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=idle_seconds)
        try:
            async with self._request("GET", resource.path(namespace), query, timeout) as response:
                if response.status >= 400:
                    raise error_of(response, await response.read(), what)
                async for event in json_lines(response.content, what):
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise KubeUnavailableError(what, str(exc) or type(exc).__name__) from exc

    async def stream(
        self, path: str, query: Mapping[str, str], *, idle_seconds: float | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the body of a GET as it arrives, such as ``pods/log`` with ``follow``."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=idle_seconds)
        try:
            async with self._request("GET", path, query, timeout) as response:
                if response.status >= 400:
                    raise error_of(response, await response.read(), path)
                async for chunk in response.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise KubeUnavailableError(path, str(exc) or type(exc).__name__) from exc

    async def raw(self, path: str) -> bytes:
        """GET any path, such as ``/readyz`` or ``/version``."""
        return await self._bytes("GET", path, {}, None, _JSON)

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
    ) -> Manifest:
        data = orjson.dumps(body) if body is not None else None
        content = await self._bytes(method, path, query or {}, data, content_type)
        # Decoded on the loop: orjson keeps the interpreter's lock, so a thread would not help;
        # what bounds the pause is the page size of lists.
        return decoded(content, f"{method} {path}")

    async def _bytes(
        self, method: str, path: str, query: Mapping[str, str], data: bytes | None, kind: str
    ) -> bytes:
        what = f"{method} {path}"
        try:
            async with self._request(method, path, query, None, data, kind) as response:
                content = await response.read()
                if response.status >= 400:
                    raise error_of(response, content, what)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise KubeUnavailableError(what, str(exc) or type(exc).__name__) from exc

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout | None,
        data: bytes | None = None,
        content_type: str = _JSON,
    ) -> "_Response":
        if self._session is None:
            raise RuntimeError("KubeClient is used outside its `async with`")
        asked = {key: value for key, value in query.items() if value}
        url = self.connection.server + path + ("?" + urlencode(asked) if asked else "")
        headers = {"Accept": _JSON, "User-Agent": self._user_agent}
        if self._acting_as:
            headers["Impersonate-User"] = self._acting_as
        if data is not None:
            headers["Content-Type"] = content_type
        if content_type in _PATCH_NAMES:
            headers["User-Agent"] += f" ({_PATCH_NAMES[content_type]})"
        return _Response(
            self._session, self.connection, method, url, timeout, data, headers, self._answered
        )


@dataclass(slots=True)
class _Response:
    """An async context manager: asks for the credentials, then for the answer."""

    session: aiohttp.ClientSession
    connection: Connection
    method: str
    url: str
    timeout: aiohttp.ClientTimeout | None
    data: bytes | None
    headers: dict[str, str]
    answered: Callable[[str, str], None] | None
    response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        headers = self.headers
        authorization = await self.connection.authorization()
        if authorization:
            headers["Authorization"] = authorization
        options: dict[str, Any] = {} if self.timeout is None else {"timeout": self.timeout}
        code = "<error>"
        try:
            self.response = await self.session.request(
                self.method, self.url, data=self.data, headers=headers, **options
            )
            code = str(self.response.status)
        finally:
            if self.answered is not None:
                self.answered(self.method, code)
        return self.response

    async def __aexit__(self, *_: object) -> None:
        if self.response is not None:
            if self.response.content.at_eof():
                self.response.release()
            else:  # a stream left half-way is of no use to another request
                connection = self.response.connection
                if connection is not None and connection.transport is not None:
                    connection.transport.abort()  # a TLS goodbye could outlive the loop
                self.response.close()
            await asyncio.sleep(0)


def _write_query(field_manager: str, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": field_manager, "dryRun": "All" if dry_run else ""}
