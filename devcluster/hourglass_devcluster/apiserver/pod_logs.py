"""The log of a container: read from where the node agent writes it, and followed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from hourglass_devcluster.model.kinds import PODS
from hourglass_devcluster.model.registry import Registry
from hourglass_devcluster.model.status import bad_request

from .request import flag, number

Manifest = Mapping[str, Any]

_CHUNK = 1 << 16
_LOOK_AGAIN_SECONDS = 0.2  # a file that grows rings no bell


class LogSource(Protocol):
    """Knows where the output of a container is kept."""

    def path(
        self, namespace: str, pod: str, uid: str, container: str, *, previous: bool
    ) -> Path | None:
        """Return the file with the output of the container's run, None if it never ran.

        ``previous`` means the run before the latest restart.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileLogs:
    """Logs as files ``<root>/<namespace>_<pod>_<uid>/<container>.log``.

    The run before the latest restart is kept beside it as ``<container>.previous.log``.
    """

    root: Path

    def path(
        self, namespace: str, pod: str, uid: str, container: str, *, previous: bool
    ) -> Path | None:
        ending = ".previous.log" if previous else ".log"
        found = self.root / f"{namespace}_{pod}_{uid}" / f"{container}{ending}"
        return found if found.exists() else None


async def serve_log(
    request: web.Request, registry: Registry, logs: LogSource, namespace: str, name: str
) -> web.StreamResponse:
    """Answer ``pods/log``: tail, follow, previous, limitBytes; with ``sinceSeconds`` and
    ``timestamps`` everything is shown, as lines are kept without their time."""
    pod = registry.get(PODS, namespace, name)
    container = _container(pod, request.query.get("container", ""))
    tail, limit = number(request, "tailLines"), number(request, "limitBytes")
    path = _started_log(logs, pod, container, previous=flag(request, "previous"))
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        async for chunk in _chunks(path, tail, limit):
            await response.write(chunk)
        if flag(request, "follow") and not flag(request, "previous"):
            await _follow(response, registry, pod, container, path)
    except ConnectionResetError:
        pass  # the reader has left
    return response


def _container(pod: Manifest, asked: str) -> str:
    name = pod["metadata"]["name"]
    names = [each["name"] for each in pod["spec"].get("containers") or ()]
    names += [each["name"] for each in pod["spec"].get("initContainers") or ()]
    if asked:
        if asked not in names:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names) > 1:
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    return str(names[0])


def _started_log(logs: LogSource, pod: Manifest, container: str, *, previous: bool) -> Path:
    meta = pod["metadata"]
    path = logs.path(meta["namespace"], meta["name"], meta["uid"], container, previous=previous)
    if path is not None:
        return path
    where = f'container "{container}" in pod "{meta["name"]}"'
    if previous:
        raise bad_request(f"previous terminated {where} not found")
    state = _state(pod, container)
    waiting = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
    raise bad_request(f"{where} is waiting to start: {waiting}")


def _state(pod: Manifest, container: str) -> Manifest:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") == container:
            state: Manifest = status.get("state") or {}
            return state
    return {}


async def _chunks(path: Path, tail: int | None, limit: int | None) -> AsyncIterator[bytes]:
    left = limit
    with path.open("rb") as file:
        file.seek(_tail_offset(path, tail))
        while chunk := file.read(_CHUNK):
            if left is not None:
                chunk = chunk[:left]
                left -= len(chunk)
            if not chunk:
                return
            yield chunk


def _tail_offset(path: Path, lines: int | None) -> int:
    """Return where the last ``lines`` lines of a file begin; reads only its end."""
    if lines is None:
        return 0
    with path.open("rb") as file:
        end = position = file.seek(0, 2)
        if lines == 0:
            return end
        newlines = 0
        while position > 0:
            start = max(0, position - _CHUNK)
            file.seek(start)
            block = file.read(position - start)
            if position == end and block.endswith(b"\n"):
                block = block[:-1]  # the last line's own end
            while (found := block.rfind(b"\n")) >= 0:
                newlines += 1
                if newlines == lines:
                    return start + found + 1
                block = block[:found]
            position = start
    return 0


async def _follow(
    response: web.StreamResponse, registry: Registry, pod: Manifest, container: str, path: Path
) -> None:
    """Write what is added to the log until the container has ended and all is written."""
    uid = pod["metadata"]["uid"]
    with path.open("rb") as file:
        file.seek(0, 2)
        while True:
            found = registry.store.find(uid)
            is_over = found is None or "terminated" in _state(found, container)
            while chunk := file.read(_CHUNK):
                await response.write(chunk)
            if is_over:
                return
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
