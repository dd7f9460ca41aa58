"""What the API server sent, decoded: objects, streams of objects, and errors."""

from collections.abc import AsyncIterator

import aiohttp
import orjson

from .errors import KubeError, KubeUnavailableError
from .resources import Manifest


def error_of(response: aiohttp.ClientResponse, content: bytes, what: str) -> KubeError:
    """Return the error that an answer of 400 or above stands for, with its Retry-After."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    status = body if isinstance(body, dict) else {"message": content.decode(errors="replace")[:500]}
    error = KubeError(response.status, status, what)
    retry_after = response.headers.get("Retry-After", "")
    if error.retry_after is None and retry_after.isdecimal():
        error.retry_after = float(retry_after)
    return error


def decoded(content: bytes, what: str) -> Manifest:
    """Return the object in ``content``. KubeUnavailableError if there is none."""
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise KubeUnavailableError(what, f"the answer is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise KubeUnavailableError(what, "the answer is not a JSON object")
    return value


async def json_lines(stream: aiohttp.StreamReader, what: str) -> AsyncIterator[Manifest]:
    """Yield the objects of a stream, one a line. KubeUnavailableError if it ends inside one."""
    rest = bytearray()
    async for chunk in stream.iter_any():
        *lines, tail = chunk.split(b"\n")
        if not lines:
            rest += tail
            continue
        lines[0] = bytes(rest) + lines[0]
        rest = bytearray(tail)
        for line in lines:
            if line:
                yield decoded(line, what)
    if rest:
        raise KubeUnavailableError(what, "the stream ended inside an event")
