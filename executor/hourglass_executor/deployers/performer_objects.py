"""Two ways to the same Performer objects: with own credentials, or through PerformerControl."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from random import Random
from typing import Any, Protocol

import grpc
import grpc.aio
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.drain_report import DrainReport, drain_lease
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import ENDPOINT_SLICES, LEASES, PERFORMERS, Manifest
from hourglass_common.kube.watch_state import Change, Key
from hourglass_common.runtime.logs import get_logger
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Aim, Creation, EventKind, Filter, PerformerView

from .cluster_connection import ClusterConnection
from .cluster_view import SliceBook, endpoints, performer_of, service_of, staged_service_of

log = get_logger(__name__)

FIELD_MANAGER = "hourglass-executor"

Seen = Callable[[str, PerformerView | None], None]
"""Told of each object's change, by name; None when it is gone."""


class PerformerObjects(Protocol):
    """The Performer objects of one namespace."""

    async def create(self, name: str, spec: Manifest, labels: Mapping[str, str]) -> Manifest:
        """Return the object as it was made. ALREADY_EXISTS where the name is taken."""
        ...

    async def find(self, name: str) -> Manifest | None: ...

    async def delete(self, name: str, uid: str) -> None:
        """Delete the object with that uid; nothing happens if there is none."""
        ...

    async def report(
        self, performer: Manifest, executor: str, reports: Sequence[DrainReport]
    ) -> None:
        """Say what ``executor`` still holds of the revisions that drain."""
        ...

    async def run(self, seen: Seen) -> None:
        """Follow all of them until cancelled; an API that is away is not told as a change."""
        ...


class ByKubernetesApi:
    """Implements ``PerformerObjects`` with a client of the Kubernetes API."""

    def __init__(self, client: KubeClient, namespace: str, clock: Clock, rng: Random) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._refused: set[str] = set()

        self._performers = Reflector(client, PERFORMERS, namespace, clock=clock, rng=rng)
        self._slices = Reflector(client, ENDPOINT_SLICES, namespace, clock=clock, rng=rng)
        for cache in (self._performers, self._slices):
            cache.interrupted = partial(self._interrupted, cache.resource.plural)
        self._book = SliceBook()
        self._staged: dict[str, str] = {}  # the performer of each staged Service
        self._reported: set[str] = set()  # Leases that were made already

    async def create(self, name: str, spec: Manifest, labels: Mapping[str, str]) -> Manifest:
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": {"name": name, "namespace": self._namespace, "labels": dict(labels)},
            "spec": spec,
        }
        return await self._client.create(
            PERFORMERS, self._namespace, body, field_manager=FIELD_MANAGER
        )

    async def find(self, name: str) -> Manifest | None:
        try:
            return await self._client.get(PERFORMERS, self._namespace, name)
        except HourglassError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    async def delete(self, name: str, uid: str) -> None:
        try:
            await self._client.delete(
                PERFORMERS, self._namespace, name, precondition=Precondition(uid)
            )
        except HourglassError as error:
            if error.code not in (Code.NOT_FOUND, Code.ABORTED):  # ABORTED: another has its name
                raise

    async def report(
        self, performer: Manifest, executor: str, reports: Sequence[DrainReport]
    ) -> None:
        lease = drain_lease(performer, executor, reports, self._clock.wall())
        name = lease["metadata"]["name"]
        if name not in self._reported:
            try:
                await self._client.create(
                    LEASES, self._namespace, lease, field_manager=FIELD_MANAGER
                )
                self._reported.add(name)
                return
            except HourglassError as error:
                if error.code is not Code.ALREADY_EXISTS:
                    raise
        self._reported.discard(name)
        await self._client.merge_patch(
            LEASES, self._namespace, name, lease, field_manager=FIELD_MANAGER
        )
        self._reported.add(name)

    async def run(self, seen: Seen) -> None:
        listening = (
            self._performers.listen(partial(self._on_performer, seen)),
            self._slices.listen(partial(self._on_slice, seen)),
        )
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._performers.run())
                group.create_task(self._slices.run())
                await self._performers.synced.wait()
                await self._slices.synced.wait()
                for _, name in tuple(self._performers.objects):
                    self._tell(seen, name)
        finally:
            for stop in listening:
                stop()

    def _on_performer(self, seen: Seen, change: Change) -> None:
        if change.old is not None:
            self._staged.pop(staged_service_of(change.old), None)
        if change.new is not None and (service := staged_service_of(change.new)):
            self._staged[service] = change.key[1]
        self._tell(seen, change.key[1])

    def _on_slice(self, seen: Seen, change: Change) -> None:
        for service in self._book.take(change):
            for name in {performer_of(service), self._staged.get(service, "")} - {""}:
                self._tell(seen, name)

    def _tell(self, seen: Seen, name: str) -> None:
        # Endpoints are told only when both kinds are known: half of the news is no news.
        if self._performers.is_synced and self._slices.is_synced:
            seen(name, self._view(name))

    def _view(self, name: str) -> PerformerView | None:
        key: Key = (self._namespace, name)
        manifest = self._performers.objects.get(key)
        if manifest is None:
            return None
        in_service = self._book.of(service_of(name))
        staged = self._book.of(staged_service_of(manifest))
        return PerformerView(manifest, endpoints(manifest, in_service, staged))

    def _interrupted(self, plural: str, error: HourglassError) -> None:
        """Say once what trying again does not mend; ``ClusterConnection`` says the rest."""
        if error.code is Code.PERMISSION_DENIED and plural not in self._refused:
            self._refused.add(plural)
            log.error("the executor may not follow what it needs", kind=plural, error=str(error))


class ByPerformerControl:
    """Implements ``PerformerObjects`` without credentials of a cluster."""

    def __init__(
        self,
        client: PerformerControlClient,
        channel: grpc.aio.Channel,
        namespace: str,
        connection: ClusterConnection,
    ) -> None:
        self._client = client
        self._channel = channel
        self._namespace = namespace
        self._connection = connection

    async def create(self, name: str, spec: Manifest, labels: Mapping[str, str]) -> Manifest:
        made = await self._client.create(
            Creation(
                namespace=self._namespace,
                name=name,
                spec=spec,
                labels=labels,
                request_id=name,
            )
        )
        return made.manifest

    async def find(self, name: str) -> Manifest | None:
        try:
            return (await self._client.get(self._namespace, name)).manifest
        except HourglassError as error:
            if error.code is Code.NOT_FOUND:
                return None
            raise

    async def delete(self, name: str, uid: str) -> None:
        aim = Aim(namespace=self._namespace, name=name)
        try:
            # By force, and at once: its tasks have been waited for here.
            await self._client.delete(aim, uid, force=True)
        except HourglassError as error:
            if error.code not in (Code.NOT_FOUND, Code.ABORTED):
                raise

    async def report(
        self, performer: Manifest, executor: str, reports: Sequence[DrainReport]
    ) -> None:
        meta = performer["metadata"]
        await self._client.report_drain(
            self._namespace, str(meta["name"]), str(meta.get("uid", "")), executor, reports
        )

    async def run(self, seen: Seen) -> None:
        failure: HourglassError | None = None
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch_channel())
            try:
                await self._follow(seen)
            except HourglassError as error:
                self._connection.away(error.message)  # it answers, and is of no use
                failure = error
            finally:
                watching.cancel()
        if failure is not None:
            raise failure

    async def _watch_channel(self) -> None:
        while True:
            state = self._channel.get_state(try_to_connect=True)
            if state is grpc.ChannelConnectivity.READY:
                self._connection.up()
            elif state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                self._connection.away("PerformerControl can not be reached")
            await self._channel.wait_for_state_change(state)

    async def _follow(self, seen: Seen) -> None:
        known: set[str] = set()
        listed: set[str] | None = set()  # while a snapshot is read: what it has named so far
        events = self._client.watch(Filter(namespace=self._namespace))
        async with aclosing(events) as stream:  # type: ignore[type-var]
            async for event in stream:
                self._connection.up()
                if event.kind is EventKind.RESYNC:
                    listed = set()
                elif event.kind is EventKind.SNAPSHOT_DONE:
                    for name in known - (listed if listed is not None else known):
                        known.discard(name)
                        seen(name, None)
                    listed = None
                elif event.performer is not None:
                    name = str(event.performer.manifest["metadata"]["name"])
                    gone = event.kind is EventKind.DELETED
                    (known.discard if gone else known.add)(name)
                    if listed is not None and not gone:
                        listed.add(name)
                    seen(name, None if gone else event.performer)


def ready_reason(manifest: dict[str, Any] | Manifest) -> str:
    """Return what the status says about a performer that is not Ready, "" for one that is."""
    conditions: Sequence[Manifest] = (manifest.get("status") or {}).get("conditions") or ()
    by_type = {one.get("type"): one for one in conditions}
    ready = by_type.get("Ready")
    if ready is not None and ready.get("status") == "True":
        return ""
    stalled = by_type.get("Stalled")
    for one in (stalled, ready):
        if one is not None and (one is ready or one.get("status") == "True"):
            return f"{one.get('reason', '')}: {one.get('message', '')}".strip(": ")
    return "the operator has not reported on it yet"
