"""Events as kubectl describe shows them, written in the background and aggregated."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import EVENTS, Manifest
from hourglass_common.runtime.logs import get_logger

log = get_logger(__name__)

_MEMORY = 1024
_QUEUE = 256
_LONGEST_NOTE = 1024


@dataclass(frozen=True, slots=True)
class _Note:
    kind: Literal["Normal", "Warning"]
    regarding: Mapping[str, Any]
    reason: str
    message: str
    at: datetime


class EventRecorder:
    """``say`` never waits: past 256 unwritten ones, events are dropped."""

    def __init__(self, client: KubeClient, controller: str, clock: Clock) -> None:
        self._client = client
        self._controller = controller
        self._clock = clock
        self._queue: asyncio.Queue[_Note] = asyncio.Queue(_QUEUE)
        self._counts: OrderedDict[str, int] = OrderedDict()

    def say(
        self, about: Manifest, kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Record that something happened to ``about``; the same again counts up one event."""
        meta = about["metadata"]
        regarding = {
            "apiVersion": about.get("apiVersion", "v1"),
            "kind": about.get("kind", "Pod"),
            "namespace": meta.get("namespace", ""),
            "name": meta["name"],
            "uid": meta.get("uid", ""),
        }
        note = _Note(kind, regarding, reason, message[:_LONGEST_NOTE], self._clock.wall())
        try:
            self._queue.put_nowait(note)
        except asyncio.QueueFull:
            log.warning("event dropped", reason=reason)

    async def run(self) -> None:
        """Write what was said, until cancelled."""
        while True:
            note = await self._queue.get()
            try:
                await self._write(note)
            except HourglassError as error:
                log.info("event not written", reason=note.reason, error=error.message)

    async def _write(self, note: _Note) -> None:
        name = _name(note)
        namespace = note.regarding["namespace"]
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        self._counts.move_to_end(name)
        if len(self._counts) > _MEMORY:
            self._counts.popitem(last=False)
        if count == 1:
            try:
                await self._client.create(EVENTS, namespace, self._body(name, note))
            except KubeError as error:
                if not error.is_already_exists:  # left by the run before: counted on
                    raise
                self._counts[name] = count = 2
            else:
                return
        at = _micro(note.at)
        series = {"series": {"count": count, "lastObservedTime": at}}
        try:
            await self._client.merge_patch(EVENTS, namespace, name, series)
        except KubeError as error:
            if error.is_not_found:  # removed meanwhile: the next one is a first again
                del self._counts[name]
            raise

    def _body(self, name: str, note: _Note) -> dict[str, Any]:
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": note.regarding["namespace"]},
            "eventTime": _micro(note.at),
            "reportingController": self._controller,
            "reportingInstance": "devcluster",
            "action": note.reason,
            "reason": note.reason,
            "type": note.kind,
            "note": note.message,
            "regarding": dict(note.regarding),
        }


def _name(note: _Note) -> str:
    seed = f"{note.regarding['uid']}/{note.reason}/{note.message}".encode()
    return f"{note.regarding['name'][:200]}.{hashlib.sha256(seed).hexdigest()[:16]}"


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
