"""Perform a plan's actions: the only place of the operator that writes to the API."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, assert_never

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import Performer
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import (
    EVENTS,
    PERFORMERS,
    REPLICA_SETS,
    SERVICES,
    Manifest,
    Resource,
)
from hourglass_common.runtime.logs import get_logger

from hourglass_operator.planning.actions import Action, Apply, Delete, Patch, Report, WriteStatus

from . import metrics
from .write_window import WriteWindow

log = get_logger(__name__)

FIELD_MANAGER = "hourglass-operator"
CONTROLLER = "hourglass.eigenlayer.io/operator"
_RESOURCES = {"ReplicaSet": REPLICA_SETS, "Service": SERVICES}
Done = Callable[[Resource, Manifest], None]


class Writer:
    """Writes one action at a time, within the window; ``may_write`` is asked right before.

    ``wrote`` is called with each object as the API answered it, so that the caller does not plan
    from a cache that has not seen it yet.
    """

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        *,
        may_write: Callable[[], bool],
        wrote: Done,
        identity: str,
    ) -> None:
        self._client = client
        self._clock = clock
        self._may_write = may_write
        self._wrote = wrote
        self._identity = identity
        self._window = WriteWindow()
        self._freed = asyncio.Event()

    async def perform(self, performer: Performer, action: Action) -> None:
        """Perform one action; the API's refusal is raised as it came."""
        namespace = performer.namespace
        match action:
            case Apply(manifest):
                resource = _RESOURCES[manifest["kind"]]
                self._audit(performer, "apply", manifest["kind"], manifest["metadata"]["name"])
                made = await self._write(
                    lambda: self._client.apply(
                        resource, namespace, manifest, field_manager=FIELD_MANAGER
                    )
                )
                self._wrote(resource, made)
            case Patch(kind, name, uid, version, change, because):
                self._audit(performer, "patch", kind, name, because=because)
                meta = {**change.get("metadata", {}), "uid": uid, "resourceVersion": version}
                made = await self._write(
                    lambda: self._client.merge_patch(
                        _RESOURCES[kind],
                        namespace,
                        name,
                        {**change, "metadata": meta},
                        field_manager=FIELD_MANAGER,
                    )
                )
                self._wrote(_RESOURCES[kind], made)
            case Delete(kind, name, uid, version):
                self._audit(performer, "delete", kind, name)
                await self._write(
                    lambda: self._client.delete(
                        _RESOURCES[kind], namespace, name, precondition=Precondition(uid, version)
                    )
                )
            case WriteStatus(status):
                self._audit(performer, "status", "Performer", performer.name)
                made = await self._write(lambda: self._apply_status(performer, status))
                self._wrote(PERFORMERS, made)
            case Report():
                await self._report(performer, action)
            case _:
                assert_never(action)

    async def _apply_status(self, performer: Performer, status: Manifest) -> Manifest:
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": {
                "name": performer.name,
                "namespace": performer.namespace,
                # The API ignores a uid in a write of the status; the version is what keeps it from
                # an object that was made anew under this name.
                "resourceVersion": performer.resource_version,
            },
            "status": status,
        }
        return await self._client.apply(
            PERFORMERS,
            performer.namespace,
            body,
            field_manager=FIELD_MANAGER,
            subresource="status",
        )

    async def _report(self, performer: Performer, report: Report) -> None:
        """Write an Event. Its name is made from what it says: a repeat is the same event."""
        now = self._clock.wall()
        text = f"{performer.uid}/{performer.generation}/{report.reason}/{report.message}"
        suffix = hashlib.sha256(text.encode()).hexdigest()[:16]
        body: dict[str, Any] = {
            "apiVersion": EVENTS.api_version,
            "kind": "Event",
            "metadata": {"name": f"{performer.name}.{suffix}", "namespace": performer.namespace},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._identity[:128],
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
        try:
            await self._write(
                lambda: self._client.create(
                    EVENTS, performer.namespace, body, field_manager=FIELD_MANAGER
                )
            )
        except KubeError as error:
            if not error.is_already_exists:  # an event is a courtesy: its loss stops nothing
                log.warning("event not written", performer=performer.name, error=error.message)

    async def _write(self, send: Callable[[], Awaitable[Manifest]]) -> Manifest:
        await self._wait_for_slot()
        if not self._may_write():
            self._window.ended()
            raise HourglassError(
                Code.ABORTED, "this operator does not lead any more", reason="NOT_LEADER"
            )
        try:
            made = await send()
        except KubeError as error:
            if error.http_status == 429:
                self._window.throttled(self._clock.monotonic(), error.retry_after or 1.0)
            else:
                self._window.ended()
            raise
        except BaseException:
            self._window.ended()
            raise
        finally:
            self._freed.set()
            self._freed = asyncio.Event()
        self._window.ended()
        return made

    async def _wait_for_slot(self) -> None:
        while not self._window.may_start(self._clock.monotonic()):
            freed = self._freed
            pause = self._window.paused_until - self._clock.monotonic()
            try:
                async with asyncio.timeout(pause if pause > 0 else None):
                    await freed.wait()
            except TimeoutError:
                continue
        self._window.started()

    def _audit(self, performer: Performer, verb: str, kind: str, name: str, **more: str) -> None:
        metrics.WRITES.labels(verb, kind).inc()
        log.info(
            "write",
            verb=verb,
            kind=kind,
            name=name,
            namespace=performer.namespace,
            performer=performer.name,
            generation=performer.generation,
            **more,
        )
