"""A proxy between a program and kube-apiserver that knows what is asked, and can spoil it.

HTTP in, on loopback; HTTPS out, with the credentials that came in. It keeps a journal of all
requests in the order of their arrival: the history of what the program asked and was told.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
import yaml
from aiohttp import web

Verb = Literal["get", "list", "watch", "create", "replace", "patch", "delete"]
WRITES: frozenset[Verb] = frozenset({"create", "replace", "patch", "delete"})

_HEADERS = ("Authorization", "Content-Type", "Accept", "User-Agent")
_SINGLE: dict[str, Verb] = {"POST": "create", "PUT": "replace", "PATCH": "patch"}


@dataclass
class Asked:
    """One request: what it asks, and once it was answered, how (``status`` 0: not at all).

    ``version`` is the resourceVersion of the object in the answer. Times are monotonic seconds.
    """

    number: int
    verb: Verb
    resource: str
    namespace: str
    name: str
    subresource: str
    at: float
    body: Any = None
    status: int = 0
    version: str = ""
    answered_at: float = 0.0

    @property
    def is_write(self) -> bool:
        return self.verb in WRITES

    @property
    def what(self) -> str:
        below = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {self.resource}{below} {self.name}".rstrip()


@dataclass(frozen=True)
class Answer:
    """What is answered instead of the API server; ``status`` 0 breaks the connection off."""

    status: int
    reason: str = ""
    retry_after: int | None = None


BREAK_OFF = Answer(0)

Hook = Callable[[Asked], Awaitable[Answer | None]]
"""Looks at a request; an answer takes the place of the server's."""


async def pass_on(_: Asked) -> Answer | None:
    return None


@dataclass
class _Watch:
    asked: Asked
    response: web.StreamResponse
    transport: asyncio.Transport | None
    frozen: bool = False


@dataclass
class FaultProxy:
    """``before`` is called before a request goes on, ``after`` when its answer has arrived.

    For a watch only ``before`` is called.
    """

    upstream: str
    kubeconfig: Path
    journal: list[Asked] = field(default_factory=list)
    before: Hook = pass_on
    after: Hook = pass_on
    port: int = 0
    _watches: list[_Watch] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None

    def writes(self, *, since: int = 0) -> list[Asked]:
        """Return the writes from request number ``since`` on, Events and Leases left out."""
        return [
            asked
            for asked in self.journal[since:]
            if asked.is_write and asked.resource not in ("events", "leases")
        ]

    def open_watches(self) -> list[str]:
        return [watch.asked.resource for watch in self._watches if not watch.frozen]

    def cut_watches(self, *resources: str) -> int:
        """Break off the open watches of ``resources``, of all if none is named."""
        cut = self._chosen(resources)
        for watch in cut:
            if watch.transport is not None:
                watch.transport.abort()
        return len(cut)

    def freeze_watches(self, *resources: str) -> int:
        """Let nothing more through on the open watches, and leave their connections open."""
        chosen = self._chosen(resources)
        for watch in chosen:
            watch.frozen = True
        return len(chosen)

    async def say(self, event: dict[str, Any], *resources: str) -> int:
        """Put an event of our own into the open watches."""
        chosen = self._chosen(resources)
        for watch in chosen:
            await watch.response.write(json.dumps(event).encode() + b"\n")
        return len(chosen)

    def _chosen(self, resources: Iterable[str]) -> list[_Watch]:
        named = set(resources)
        return [w for w in self._watches if not named or w.asked.resource in named]

    async def refuse_connections(self) -> None:
        """Be gone: nobody listens, and what was open is broken off."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        server = self._runner.server if self._runner is not None else None
        for handler in server.connections if server is not None else ():
            if handler.transport is not None:
                handler.transport.abort()

    async def listen(self) -> None:
        """Take connections, again on the port of the first time."""
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=False, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        await self.listen()
        config = yaml.safe_load(self.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        user, at, _ = urlsplit(cluster["server"]).netloc.rpartition("@")
        config["clusters"][0]["cluster"] = {"server": f"http://{user}{at}127.0.0.1:{self.port}"}
        self.kubeconfig = self.kubeconfig.with_name(f"kubeconfig-{self.port}")
        self.kubeconfig.write_text(yaml.safe_dump(config))

    async def stop(self) -> None:
        await self.refuse_connections()
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.kubeconfig.unlink(missing_ok=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        asked = _read(len(self.journal), request, content)
        self.journal.append(asked)
        answer = await self.before(asked)
        if answer is not None:
            return _instead(asked, answer, request)
        try:
            return await self._forward(request, asked, content)
        except (aiohttp.ClientError, OSError):
            return _instead(asked, BREAK_OFF, request)

    async def _forward(
        self, request: web.Request, asked: Asked, content: bytes
    ) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        async with self._session.request(
            request.method, self.upstream + request.path_qs, data=content, headers=headers
        ) as found:
            if asked.verb == "watch" and found.status == 200:
                return await self._stream(request, asked, found)
            body = await found.read()
        asked.status, asked.answered_at = found.status, time.monotonic()
        if asked.is_write and found.status < 300:
            asked.version = str((json.loads(body).get("metadata") or {}).get("resourceVersion", ""))
        answer = await self.after(asked)
        if answer is not None:
            return _instead(asked, answer, request)
        kept = {k: v for k, v in found.headers.items() if k in ("Content-Type", "Retry-After")}
        return web.Response(body=body, status=found.status, headers=kept)

    async def _stream(
        self, request: web.Request, asked: Asked, found: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        asked.status, asked.answered_at = found.status, time.monotonic()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        watch = _Watch(asked, response, request.transport)
        self._watches.append(watch)
        try:
            async for chunk in found.content.iter_any():
                if watch.frozen:
                    await asyncio.Event().wait()
                await response.write(chunk)
        finally:
            self._watches.remove(watch)
        return response


def _instead(asked: Asked, answer: Answer, request: web.Request) -> web.Response:
    asked.answered_at = time.monotonic()
    if answer.status == 0:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # nobody reads it
    asked.status = answer.status
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": answer.status,
        "reason": answer.reason,
        "message": f"the proxy says {answer.status} {answer.reason}",
    }
    told = {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}
    return web.json_response(body, status=answer.status, headers=told)


def _read(number: int, request: web.Request, content: bytes) -> Asked:
    """Read what a request asks from its method and path."""
    parts = urlsplit(request.path).path.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    body = json.loads(content) if content else {}
    verb: Verb
    if request.method == "GET":
        watches = request.query.get("watch") == "true"
        verb = "watch" if watches else "get" if name else "list"
    else:
        verb = _SINGLE.get(request.method, "delete")
    if verb == "create" and not name:
        name = (body.get("metadata") or {}).get("name", "")
    return Asked(
        number, verb, resource, namespace, name, subresource, at=time.monotonic(), body=body
    )


@asynccontextmanager
async def fault_proxy(upstream: str, kubeconfig: Path) -> AsyncIterator[FaultProxy]:
    """Run one before ``upstream``; its ``kubeconfig`` is that of ``upstream``, led through it."""
    proxy = FaultProxy(upstream, kubeconfig)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
