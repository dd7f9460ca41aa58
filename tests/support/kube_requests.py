"""Requests to a Kubernetes API as plain HTTP, for tests that check the API itself.

Each request is also named as an audit log names it, such as ``patch pods/status merge``: that
is how contract cases and the requests of our programs are compared.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from hourglass_common.kube.resources import Resource

USER_AGENT = "hourglass-contract-test/1"

JSON = "application/json"
PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: ``body`` is the decoded JSON, or the text where it is not JSON."""

    status: int
    body: Any
    content_type: str = JSON

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", "")) if isinstance(self.body, dict) else ""

    @property
    def message(self) -> str:
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else self.body

    @property
    def causes(self) -> dict[str, str]:
        """The causes of a 422: field path to message."""
        details = self.body.get("details") or {}
        return {c.get("field", ""): c.get("message", "") for c in details.get("causes") or ()}

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    def ok(self) -> Any:
        """Return the body of an answer that is a success."""
        assert self.status < 300, f"HTTP {self.status}: {self.body}"
        return self.body

    def refused(self, status: int, reason: str) -> Self:
        assert (self.status, self.reason) == (status, reason), f"HTTP {self.status}: {self.body}"
        return self


@dataclass
class KubeRequests:
    """A session with one API server; ``made`` collects the names of the requests."""

    url: str
    token: str
    session: aiohttp.ClientSession
    made: set[str] = field(default_factory=set)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        patch: str = "",
        **query: str,
    ) -> Answer:
        """``patch`` is a key of PATCHES; ``query`` are the parameters as the API spells them."""
        content_type = PATCHES.get(patch, content_type)
        self.made.add(request_name(method, path, query, patch))
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        async with self.session.request(
            method,
            self.url + path + ("?" + urlencode(query) if query else ""),
            data=data,
            headers=self._headers(accept, content_type if data is not None else "", patch),
            timeout=aiohttp.ClientTimeout(total=20),
        ) as response:
            content = await response.read()
            try:
                decoded = json.loads(content)
            except ValueError:
                decoded = content.decode(errors="replace")
            return Answer(response.status, decoded, response.headers.get("Content-Type", ""))

    async def get(self, what: Resource, space: str | None, name: str, sub: str = "") -> Answer:
        return await self.call("GET", what.path(space, name, sub))

    async def list(self, what: Resource, space: str | None, **query: str) -> Answer:
        return await self.call("GET", what.path(space), **query)

    async def create(
        self, what: Resource, space: str | None, body: dict[str, Any], **query: str
    ) -> Answer:
        return await self.call("POST", what.path(space), typed(what, body), **query)

    async def replace(
        self,
        what: Resource,
        space: str | None,
        body: dict[str, Any],
        sub: str = "",
        **query: str,
    ) -> Answer:
        path = what.path(space, body["metadata"]["name"], sub)
        return await self.call("PUT", path, body if sub else typed(what, body), **query)

    async def patch(
        self,
        kind: str,
        what: Resource,
        space: str | None,
        name: str,
        body: Any,
        sub: str = "",
        **query: str,
    ) -> Answer:
        path = what.path(space, name, sub)
        return await self.call("PATCH", path, body, patch=kind, **query)

    async def apply(
        self,
        what: Resource,
        space: str | None,
        body: dict[str, Any],
        manager: str = "contract",
        sub: str = "",
        **query: str,
    ) -> Answer:
        name = body["metadata"]["name"]
        query = {"fieldManager": manager, **query}
        return await self.patch("apply", what, space, name, typed(what, body), sub, **query)

    async def delete(
        self, what: Resource, space: str | None, name: str, options: dict[str, Any] | None = None
    ) -> Answer:
        if options is not None:
            options = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        return await self.call("DELETE", what.path(space, name), options)

    @asynccontextmanager
    async def watch(
        self, what: Resource, space: str | None, **query: str
    ) -> AsyncIterator["WatchStream"]:
        query = {"watch": "true", **query}
        path = what.path(space)
        self.made.add(request_name("GET", path, query, ""))
        async with self.session.get(
            f"{self.url}{path}?{urlencode(query)}",
            headers=self._headers(JSON, "", ""),
            timeout=aiohttp.ClientTimeout(total=30),
        ) as response:
            yield WatchStream(response)

    def _headers(self, accept: str, content_type: str, patch: str) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": accept,
            "User-Agent": f"{USER_AGENT} ({patch})" if patch else USER_AGENT,
        }
        return headers | ({"Content-Type": content_type} if content_type else {})


@dataclass
class WatchStream:
    response: aiohttp.ClientResponse

    async def next(self, seconds: float = 10.0) -> dict[str, Any]:
        """Return the next event; AssertionError if none comes."""
        async with asyncio.timeout(seconds):
            line = await self.response.content.readline()
        assert line, "the watch ended"
        event: dict[str, Any] = json.loads(line)
        return event

    async def rest(self, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Return what comes until the server ends the watch."""
        async with asyncio.timeout(seconds):
            return [json.loads(line) async for line in self.response.content]


def request_name(method: str, path: str, query: dict[str, str], patch: str) -> str:
    """Return the name of a request: verb, resource with group and subresource, kind of patch."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    group = "" if parts[0] == "api" else f".{parts[1]}" if len(parts) > 1 else ""
    if parts[0] not in ("api", "apis") or not rest:
        return f"{method.lower()} {path}"
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    named = len(rest) > 1
    if method == "GET":
        verb = "watch" if query.get("watch") == "true" else "get" if named else "list"
    elif method == "DELETE" and not named:
        verb = "deletecollection"
    else:
        verb = _VERBS.get(method, method.lower())
    subresource = f"/{rest[2]}" if len(rest) > 2 else ""
    return f"{verb} {rest[0]}{group}{subresource}" + (f" {patch}" if patch else "")


def typed(what: Resource, body: dict[str, Any]) -> dict[str, Any]:
    """Return ``body`` with apiVersion and kind."""
    return {"apiVersion": what.api_version, "kind": what.kind, **body}


async def eventually(
    ask: Callable[[], Awaitable[Any]], accept: Callable[[Any], bool], seconds: float = 15.0
) -> Any:
    """Ask until the answer is accepted; AssertionError with the last answer if it never is."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        answer = await ask()
        if accept(answer):
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:g} s; last: {answer}"
        await asyncio.sleep(pause)  # the API has no event for "your condition holds"
        pause = min(pause * 1.5, 0.3)
