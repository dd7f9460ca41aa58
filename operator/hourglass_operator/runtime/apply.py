"""Perform a plan's actions: with ``events``, the only place of the operator that writes."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import Performer
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError, KubeUnavailableError
from hourglass_common.kube.resources import (
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Manifest,
    Resource,
)
from hourglass_common.runtime.logs import get_logger

from hourglass_operator.planning.actions import (
    Create,
    Delete,
    Patch,
    RestoreReplicas,
    RunGate,
    WriteStatus,
)
from hourglass_operator.planning.intent import OPERATOR
from hourglass_operator.planning.revision import GATE, gate_note

from . import metrics
from .gate import run_gate
from .write_window import WriteWindow

log = get_logger(__name__)

FIELD_MANAGER = OPERATOR
RESOURCES = {
    resource.kind: resource
    for resource in (REPLICA_SETS, SERVICES, NETWORK_POLICIES, POD_DISRUPTION_BUDGETS, PODS)
}
Done = Callable[[Resource, Manifest], None]
Write = Create | Patch | Delete | WriteStatus | RestoreReplicas | RunGate


@dataclass(frozen=True, slots=True)
class _Call:
    """One request: what the audit line says of it, and how it is sent."""

    verb: str
    resource: Resource
    name: str
    send: Callable[[], Awaitable[Manifest]]
    because: str = ""


def is_servers(error: Exception) -> bool:
    """Return whether an error is the API server's state, and not an answer to what was asked."""
    if isinstance(error, KubeUnavailableError):
        return True
    if not isinstance(error, KubeError):
        return False
    if error.http_status == 500:
        return "webhook" not in error.explanation  # a user's, for some kinds of objects only
    return error.http_status in (429, 502, 503, 504)


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
        rng: random.Random | None = None,
        qps: float = 0.0,
    ) -> None:
        self._client = client
        self._clock = clock
        self._may_write = may_write
        self._wrote = wrote
        self._rng = rng or random.Random()  # noqa: S311  jitter, not a secret
        self._window = WriteWindow(qps=qps)
        self._freed = asyncio.Event()

    async def perform(self, performer: Performer, action: Write) -> None:
        """Perform one action; the API's refusal is raised as it came."""
        if isinstance(action, RunGate):
            action = await self._answered(action)
        call = self._call(performer, action)
        made = await self._write(performer, call)
        if call.verb != "delete":
            self._wrote(call.resource, made)

    def _call(self, performer: Performer, action: Write) -> _Call:
        namespace = performer.namespace
        match action:
            case Create(manifest):
                resource, name = RESOURCES[manifest["kind"]], manifest["metadata"]["name"]
                return _Call("create", resource, name, lambda: self._create(namespace, manifest))
            case Patch(kind, name, because=because):
                resource = RESOURCES[kind]
                return _Call(
                    "patch", resource, name, lambda: self._patch(namespace, action), because
                )
            case Delete(kind, name, uid, version):
                only = Precondition(uid, version)
                resource = RESOURCES[kind]
                return _Call(
                    "delete",
                    resource,
                    name,
                    lambda: self._client.delete(resource, namespace, name, precondition=only),
                )
            case WriteStatus(status):
                return _Call(
                    "status", PERFORMERS, performer.name, lambda: self._status(performer, status)
                )
            case RestoreReplicas(replicas):
                return _Call(
                    "scale",
                    PERFORMERS,
                    performer.name,
                    lambda: self._scale(performer, replicas),
                    "the spec names no number of instances",
                )
            case RunGate():
                raise AssertionError("a gate is run before it is written down")
            case _:
                assert_never(action)

    async def _create(self, namespace: str, manifest: Manifest) -> Manifest:
        return await self._client.create(
            RESOURCES[manifest["kind"]], namespace, manifest, field_manager=FIELD_MANAGER
        )

    async def _patch(self, namespace: str, action: Patch) -> Manifest:
        meta = {
            **action.change.get("metadata", {}),
            "uid": action.uid,
            "resourceVersion": action.resource_version,
        }
        return await self._client.merge_patch(
            RESOURCES[action.kind],
            namespace,
            action.name,
            {**action.change, "metadata": meta},
            field_manager=FIELD_MANAGER,
        )

    async def _status(self, performer: Performer, status: Manifest) -> Manifest:
        """Replace the status. The API keeps all else of the object in a write of its status."""
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": {
                "name": performer.name,
                "namespace": performer.namespace,
                "uid": performer.uid,
                "resourceVersion": performer.resource_version,
            },
            "status": status,
        }
        return await self._client.replace(
            PERFORMERS,
            performer.namespace,
            body,
            field_manager=FIELD_MANAGER,
            subresource="status",
        )

    async def _scale(self, performer: Performer, replicas: int) -> Manifest:
        return await self._client.merge_patch(
            PERFORMERS,
            performer.namespace,
            performer.name,
            {
                "metadata": {"resourceVersion": performer.resource_version},
                "spec": {"replicas": replicas},
            },
            field_manager=FIELD_MANAGER,
            subresource="scale",
        )

    async def _answered(self, gate: RunGate) -> Patch:
        """Run a gate and return the note of how it ended."""
        result = await run_gate(gate)
        log.info("gate run", replica_set=gate.name, state=result.state, message=result.message)
        note = {"metadata": {"annotations": {GATE: gate_note(result)}}}
        return Patch(
            "ReplicaSet",
            gate.name,
            gate.uid,
            gate.resource_version,
            note,
            f"gate: {result.state}",
        )

    async def _write(self, performer: Performer, call: _Call) -> Manifest:
        await self._wait_for_slot()
        failure: HourglassError | None = None
        answered = False
        try:
            if not self._may_write():
                raise HourglassError(
                    Code.ABORTED, "this operator does not lead any more", reason="NOT_LEADER"
                )
            self._audit(performer, call)
            made = await call.send()
            answered = True
            return made
        except (KubeError, KubeUnavailableError) as error:
            failure = error
            raise
        finally:
            now = self._clock.monotonic()
            if failure is None or not is_servers(failure):
                self._window.ended(answered=answered or failure is not None)
            elif failure.code is Code.RESOURCE_EXHAUSTED:
                self._window.throttled(now, failure.retry_after or 1.0)
            else:
                self._window.broken(now, self._rng.random())
            self._freed.set()
            self._freed = asyncio.Event()

    async def _wait_for_slot(self) -> None:
        while not self._window.may_start(self._clock.monotonic()):
            freed = self._freed
            pause = self._window.opens_at - self._clock.monotonic()
            try:
                async with asyncio.timeout(pause if pause > 0 else None):
                    await freed.wait()
            except TimeoutError:
                continue
        self._window.started(self._clock.monotonic())

    def _audit(self, performer: Performer, call: _Call) -> None:
        """Say what is about to be written: the line is out before the request is."""
        metrics.WRITES.labels(call.verb, call.resource.kind).inc()
        more = {"because": call.because} if call.because else {}
        log.info(
            "write",
            verb=call.verb,
            kind=call.resource.kind,
            name=call.name,
            namespace=performer.namespace,
            performer=performer.name,
            generation=performer.generation,
            **more,
        )
