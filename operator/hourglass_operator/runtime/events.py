"""Kubernetes Events: written in the background, when nothing that matters more waits."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.domain.performer import Performer
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import EVENTS, PERFORMERS
from hourglass_common.runtime.logs import get_logger

from hourglass_operator.planning.actions import Report
from hourglass_operator.planning.intent import OPERATOR

from . import metrics

log = get_logger(__name__)

CONTROLLER = "hourglass.eigenlayer.io/operator"
KEPT = 8192
"""Events that wait at most; past that the oldest is dropped."""
PATIENCE_SECONDS = 30.0
"""How long an event waits for a quiet moment before it is written all the same."""
PAUSE_SECONDS = 0.05


class EventRecorder:
    """Writes what is recorded while ``run`` runs; ``busy`` says whether others need the API.

    An event is a courtesy: its loss stops nothing. Its name is made from what it says, so that a
    repeat is the same event.
    """

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        *,
        identity: str,
        may_write: Callable[[], bool],
        busy: Callable[[], bool],
    ) -> None:
        self._client = client
        self._clock = clock
        self._identity = identity[:128]
        self._may_write = may_write
        self._busy = busy
        self._waiting: deque[tuple[float, str, dict[str, Any]]] = deque(maxlen=KEPT)
        self._added = asyncio.Event()

    def record(self, performer: Performer, report: Report) -> None:
        """Take an event to be written; its time is now."""
        if len(self._waiting) == KEPT:
            metrics.EVENTS_DROPPED.inc()
        body = self._event(performer, report)
        self._waiting.append((self._clock.monotonic(), performer.namespace, body))
        self._added.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._added.wait()
            if not self._waiting:
                self._added.clear()
                continue
            since, namespace, body = self._waiting[0]
            if self._busy() and self._clock.monotonic() - since < PATIENCE_SECONDS:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._waiting.popleft()
            await self._write(namespace, body)

    async def _write(self, namespace: str, body: dict[str, Any]) -> None:
        if not self._may_write():
            return
        log.info(
            "write",
            verb="create",
            kind="Event",
            name=body["metadata"]["name"],
            namespace=namespace,
            reason=body["reason"],
        )
        try:
            await self._client.create(EVENTS, namespace, body, field_manager=OPERATOR)
        except HourglassError as error:
            if not (isinstance(error, KubeError) and error.is_already_exists):
                metrics.EVENTS_DROPPED.inc()
                log.warning("event not written", reason=body["reason"], error=error.message)

    def _event(self, performer: Performer, report: Report) -> dict[str, Any]:
        text = f"{performer.uid}/{performer.generation}/{report.reason}/{report.message}"
        suffix = hashlib.sha256(text.encode()).hexdigest()[:16]
        return {
            "apiVersion": EVENTS.api_version,
            "kind": "Event",
            "metadata": {"name": f"{performer.name}.{suffix}", "namespace": performer.namespace},
            "eventTime": self._clock.wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._identity,
            "action": "Reconcile",
            "reason": report.reason,
            "note": report.message[:1024],
            "type": report.kind,
            "regarding": {
                "apiVersion": PERFORMERS.api_version,
                "kind": PERFORMERS.kind,
                "namespace": performer.namespace,
                "name": performer.name,
                "uid": performer.uid,
            },
        }
