"""Two ways to the same Performer objects: with own credentials, or through PerformerControl."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from random import Random
from typing import Any, Protocol

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import SERVICE_NAME, endpoints_of, labels
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import ENDPOINT_SLICES, PERFORMERS, Manifest
from hourglass_common.kube.watch_state import Change, Key
from hourglass_common.runtime.logs import get_logger
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Aim, Creation, EventKind, Filter, PerformerView

log = get_logger(__name__)

FIELD_MANAGER = "hourglass-executor"

Seen = Callable[[str, PerformerView | None], None]
"""Told of each object's change, by name; None when it is gone."""


class PerformerObjects(Protocol):
    """The Performer objects of one namespace."""

    async def create(self, name: str, spec: Manifest, object_labels: dict[str, str]) -> None:
        """Create it; one that is there under this name already is ours, from before a crash."""
        ...

    async def delete(self, name: str) -> None:
        """Delete it; nothing happens if there is none."""
        ...

    async def run(self, seen: Seen) -> None:
        """Follow all of them until cancelled; an API that is away is not told as a change."""
        ...


class ByKubernetesApi:
    """Implements ``PerformerObjects`` with a client of the Kubernetes API."""

    def __init__(self, client: KubeClient, namespace: str, clock: Clock, rng: Random) -> None:
        self._client = client
        self._namespace = namespace
        self._performers = Reflector(client, PERFORMERS, namespace, clock=clock, rng=rng)
        self._slices = Reflector(client, ENDPOINT_SLICES, namespace, clock=clock, rng=rng)

    async def create(self, name: str, spec: Manifest, object_labels: dict[str, str]) -> None:
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": object_labels,
            },
            "spec": spec,
        }
        try:
            await self._client.create(
                PERFORMERS, self._namespace, body, field_manager=FIELD_MANAGER
            )
        except KubeError as error:
            if not error.is_already_exists:
                raise

    async def delete(self, name: str) -> None:
        try:
            await self._client.delete(PERFORMERS, self._namespace, name)
        except HourglassError as error:
            if error.code is not Code.NOT_FOUND:
                raise

    async def run(self, seen: Seen) -> None:
        def tell(name: str) -> None:
            # Endpoints are told only when both kinds are known: half of the news is no news.
            if self._performers.synced.is_set() and self._slices.synced.is_set():
                seen(name, self._view(name))

        def on_performer(change: Change) -> None:
            tell(change.key[1])

        def on_slice(change: Change) -> None:
            for manifest in (change.old, change.new):
                if manifest is not None and SERVICE_NAME in labels(manifest):
                    tell(_performer_of(labels(manifest)[SERVICE_NAME]))

        self._performers.listen(on_performer)
        self._slices.listen(on_slice)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._performers.run())
            group.create_task(self._slices.run())
            await self._performers.synced.wait()
            await self._slices.synced.wait()
            for _, name in tuple(self._performers.objects):
                tell(name)

    def _view(self, name: str) -> PerformerView | None:
        key: Key = (self._namespace, name)
        manifest = self._performers.objects.get(key)
        if manifest is None:
            return None
        service = f"performer-{name}"
        mine = [
            piece
            for piece in self._slices.objects.values()
            if labels(piece).get(SERVICE_NAME) == service
        ]
        return PerformerView(
            manifest,
            tuple(
                Endpoint(
                    performer_id=name,
                    revision=one.pod.rpartition("-")[0],
                    instance=one.pod,
                    address=one.target,
                    role=Role.DRAINING if one.terminating else Role.IN_SERVICE,
                    ready=one.ready,
                )
                for one in endpoints_of(mine)
            ),
        )


class ByPerformerControl:
    """Implements ``PerformerObjects`` without credentials of a cluster."""

    def __init__(self, client: PerformerControlClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def create(self, name: str, spec: Manifest, object_labels: dict[str, str]) -> None:
        try:
            await self._client.create(
                Creation(
                    namespace=self._namespace,
                    name=name,
                    spec=spec,
                    labels=object_labels,
                    request_id=name,
                )
            )
        except HourglassError as error:
            if error.code is not Code.ALREADY_EXISTS:
                raise

    async def delete(self, name: str) -> None:
        try:
            aim = Aim(namespace=self._namespace, name=name)
            await self._client.delete(aim, force=True)  # its tasks have been waited for here
        except HourglassError as error:
            if error.code is not Code.NOT_FOUND:
                raise

    async def run(self, seen: Seen) -> None:
        known: set[str] = set()
        listed: set[str] | None = set()  # while a snapshot is read: what it has named so far
        events = self._client.watch(Filter(namespace=self._namespace))
        async with aclosing(events) as stream:  # type: ignore[type-var]
            async for event in stream:
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


def _performer_of(service: str) -> str:
    return service.removeprefix("performer-")


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
