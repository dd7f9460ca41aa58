"""The Docker Engine API (and Podman's compatible one): one method per request, raw JSON.

Reached by a unix socket or by TCP, as ``DOCKER_HOST`` spells it. The version of the API is the
newest that both sides know.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import orjson
from hourglass_common.domain.errors import Code, HourglassError

Json = Mapping[str, Any]

DEFAULT_HOST = "unix:///var/run/docker.sock"
NEWEST = (1, 47)
TIMEOUT_SECONDS = 30.0
MAX_FRAME_BYTES = 1 << 20
_NO_ACCESS = ("denied", "unauthorized", "authentication required", "no basic auth credentials")
_NO_IMAGE = ("not found", "manifest unknown", "name unknown")
_CODES = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    409: Code.FAILED_PRECONDITION,
}


class EngineError(HourglassError):
    """The engine refused a request: its HTTP status and its own words."""

    def __init__(self, status: int, message: str, what: str) -> None:
        super().__init__(
            _CODES.get(status, Code.UNAVAILABLE),
            f"docker: {what}: {message}",
            reason="DOCKER_REFUSED",
        )
        self.status = status
        self.explanation = message

    @property
    def is_missing(self) -> bool:
        return self.status == 404

    @property
    def is_conflict(self) -> bool:
        return self.status == 409


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    """Where the engine listens; ``tls_directory`` holds ca.pem, cert.pem and key.pem."""

    host: str = DEFAULT_HOST
    tls_directory: Path | None = None

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return what DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say."""
        host = environ.get("DOCKER_HOST") or DEFAULT_HOST
        folder = environ.get("DOCKER_CERT_PATH") or str(Path(environ.get("HOME", "/")) / ".docker")
        verify = bool(environ.get("DOCKER_TLS_VERIFY"))
        return cls(host=host, tls_directory=Path(folder) if verify else None)


class DockerEngine:
    """Used as an async context manager. Every method raises ``EngineError`` for a refusal and
    UNAVAILABLE where there is no answer; a change may then have been made or not."""

    def __init__(self, address: EngineAddress, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._address = address
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._base = ""
        self._version = ""

    async def __aenter__(self) -> Self:
        connector, self._base = _connector(self._address)
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
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

    async def version(self) -> Json:
        """Return what the engine says of itself; from now on its newest version is spoken."""
        found = await self._json("GET", "/version", versioned=False)
        theirs = _numbers(str(found.get("ApiVersion") or "1.41"))
        self._version = "v{}.{}".format(*min(theirs, NEWEST))
        return found

    async def image(self, name: str) -> Json | None:
        """Return the local image, None if there is none of that name."""
        return await self._json_or_none(f"/images/{quote(name, safe='/:@')}/json")

    async def pull(
        self, name: str, registry_auth: str, on_progress: Callable[[Json], None] | None = None
    ) -> None:
        """Fetch an image; NOT_FOUND, PERMISSION_DENIED or UNAVAILABLE by the registry's words.

        ``registry_auth`` is the value of X-Registry-Auth, "" for none. There is no end to the time
        that it may take: bound it outside.
        """
        headers = {"X-Registry-Auth": registry_auth} if registry_auth else {}
        path = "/images/create?" + urlencode({"fromImage": name})
        try:
            async with aclosing(self._lines("POST", path, "pull", headers=headers)) as lines:
                async for line in lines:
                    if "error" in line:
                        raise _pull_failed(name, str(line["error"]))
                    if on_progress is not None:
                        on_progress(line)
        except EngineError as error:  # refused before the first line
            raise _pull_failed(name, error.explanation) from error

    async def create(self, name: str, body: Json) -> str:
        """Create a container and return its id; ``is_conflict`` if the name is taken."""
        path = "/containers/create?" + urlencode({"name": name})
        return str((await self._json("POST", path, body=body))["Id"])

    async def start(self, container: str) -> None:
        """Nothing happens if it runs."""
        await self._send("POST", f"/containers/{container}/start")

    async def stop(self, container: str, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace; nothing happens if it does not run, or is gone."""
        path = f"/containers/{container}/stop?t={max(0, round(grace_seconds))}"
        timeout = aiohttp.ClientTimeout(total=grace_seconds + TIMEOUT_SECONDS)
        await self._send("POST", path, timeout=timeout, missing_ok=True)

    async def remove(self, container: str) -> None:
        """Kill and remove it with its anonymous volumes; nothing happens if it is gone. Returns
        when it is, whoever removes it."""
        try:
            await self._send(
                "DELETE", f"/containers/{container}?force=true&v=true", missing_ok=True
            )
        except EngineError as error:
            if not error.is_conflict:  # "removal is already in progress"
                raise
            path = f"/containers/{container}/wait?condition=removed"
            await self._send("POST", path, missing_ok=True)

    async def container(self, container: str) -> Json | None:
        return await self._json_or_none(f"/containers/{container}/json")

    async def containers(self, *labels: str) -> list[Json]:
        """Return all containers with all labels (``key=value``), those that do not run as well."""
        query = urlencode({"all": "true", "filters": json.dumps({"label": labels})})
        found: Any = await self._json("GET", f"/containers/json?{query}")
        return list(found)

    async def network(self, name: str) -> Json | None:
        return await self._json_or_none(f"/networks/{quote(name, safe='')}")

    async def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        body = {"Name": name, "Driver": "bridge", "Labels": dict(labels)}
        await self._json("POST", "/networks/create", body=body)

    async def events(self, label: str, since: float) -> AsyncGenerator[Json, None]:
        """Yield what happens to containers with a label from ``since`` (Unix time) on."""
        filters = json.dumps({"type": ["container"], "label": [label]})
        query = urlencode({"since": f"{since:.9f}", "filters": filters})
        async with aclosing(self._lines("GET", f"/events?{query}", "follow events")) as lines:
            async for line in lines:
                yield line

    async def follow_output(self, container: str, since: str) -> AsyncGenerator[bytes, None]:
        """Yield what a container writes, a timestamp before each line, until it ends.

        ``since`` is "" for all that is kept, or Unix seconds with nanoseconds after a dot.
        """
        query = {"follow": "true", "stdout": "true", "stderr": "true", "timestamps": "true"}
        if since:
            query["since"] = since
        path = f"/containers/{container}/logs?{urlencode(query)}"
        async with (
            self._stream("GET", path, "follow output") as content,
            aclosing(_frames(content)) as frames,
        ):
            async for frame in frames:
                yield frame

    async def _json(
        self, method: str, path: str, *, body: Json | None = None, versioned: bool = True
    ) -> Json:
        content = await self._send(method, path, body=body, versioned=versioned)
        try:
            found: Json = orjson.loads(content)
        except orjson.JSONDecodeError as exc:
            raise _no_answer(self._address, f"{method} {path}: {exc}") from exc
        return found

    async def _json_or_none(self, path: str) -> Json | None:
        try:
            return await self._json("GET", path)
        except EngineError as error:
            if error.is_missing:
                return None
            raise

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        versioned: bool = True,
        timeout: aiohttp.ClientTimeout | None = None,
        missing_ok: bool = False,
    ) -> bytes:
        if versioned and not self._version:
            await self.version()
        headers = {"Content-Type": "application/json"}
        data = orjson.dumps(body) if body is not None else None
        try:
            async with self._open().request(
                method,
                self._url(path, versioned=versioned),
                data=data,
                headers=headers,
                timeout=timeout or self._timeout,
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _no_answer(self._address, str(exc) or type(exc).__name__) from exc
        if response.status == 404 and missing_ok:
            return b""
        if response.status >= 400:
            raise EngineError(response.status, _words(content), f"{method} {path}")
        return content

    async def _lines(
        self, method: str, path: str, what: str, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Json, None]:
        async with (
            self._stream(method, path, what, headers) as content,
            aclosing(_json_lines(content)) as lines,
        ):
            async for line in lines:
                yield line

    @asynccontextmanager
    async def _stream(
        self, method: str, path: str, what: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Open an answer without an end; its connection is closed with the block."""
        if not self._version:
            await self.version()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        try:
            async with self._open().request(
                method, self._url(path), headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise EngineError(response.status, _words(await response.read()), what)
                try:
                    yield response.content
                finally:
                    response.close()  # never back to the pool, whatever was left unread
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise _no_answer(self._address, str(exc) or type(exc).__name__) from exc
        except (ValueError, asyncio.IncompleteReadError) as exc:  # cut in the middle of a line
            raise _no_answer(self._address, f"{what}: {exc}") from exc

    def _url(self, path: str, *, versioned: bool = True) -> str:
        return f"{self._base}/{self._version}{path}" if versioned else f"{self._base}{path}"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            raise _no_answer(self._address, "the connection to it is closed here")
        return self._session


async def _frames(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Yield the payloads of an output's frames: eight bytes say of which stream and how long."""
    while True:
        try:
            head = await content.readexactly(8)
        except asyncio.IncompleteReadError as exc:
            if exc.partial:
                raise
            return
        size = int.from_bytes(head[4:])
        if head[0] > 2 or head[1:4] != b"\0\0\0" or size > MAX_FRAME_BYTES:
            raise ValueError("it is not made of frames")
        yield await content.readexactly(size)


async def _json_lines(content: aiohttp.StreamReader) -> AsyncGenerator[Json, None]:
    """Yield JSON objects one after the other, whatever stands between them."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield orjson.loads(line)
    if rest.strip():
        yield orjson.loads(rest)


def _connector(address: EngineAddress) -> tuple[aiohttp.BaseConnector, str]:
    parts = urlsplit(address.host)
    match parts.scheme:
        case "unix":
            return aiohttp.UnixConnector(parts.path or parts.netloc), "http://docker"
        case "tcp" | "http" | "https":
            context = _tls(address.tls_directory)
            scheme = "https" if context is not None or parts.scheme == "https" else "http"
            connector = aiohttp.TCPConnector(ssl=context if context is not None else True)
            return connector, f"{scheme}://{parts.netloc}"
        case _:
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                f"docker: {address.host!r} is not an address of an engine",
                reason="DOCKER_HOST",
                hint="write unix:///var/run/docker.sock or tcp://host:2376",
            )


def _tls(folder: Path | None) -> ssl.SSLContext | None:
    if folder is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"docker: the certificates in {folder} can not be used: {exc}",
            reason="DOCKER_CERTIFICATES",
            hint="DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem",
        ) from exc
    return context


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (1, 41)


def _words(content: bytes) -> str:
    try:
        return str(orjson.loads(content)["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return content.decode(errors="replace")[:500]


def _no_answer(address: EngineAddress, cause: str) -> HourglassError:
    return HourglassError(
        Code.UNAVAILABLE,
        f"docker at {address.host} gives no answer: {cause}",
        reason="DOCKER_UNREACHABLE",
        hint="is the engine running, and may this user open its socket? DOCKER_HOST names another",
        retry_after=1.0,
    )


def _pull_failed(name: str, words: str) -> HourglassError:
    lowered = words.lower()
    if any(word in lowered for word in _NO_ACCESS):
        code, hint = Code.PERMISSION_DENIED, "docker login gives the credentials that are needed"
    elif any(word in lowered for word in _NO_IMAGE):
        code, hint = Code.NOT_FOUND, "check the repository and the digest or tag"
    else:
        code, hint = Code.UNAVAILABLE, "check that the registry can be reached"
    return HourglassError(
        code, f"image {name} can not be pulled: {words}", reason="IMAGE_PULL_FAILED", hint=hint
    )
