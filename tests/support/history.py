"""What happened in a namespace, in the order of the API server, and what may be asked of it.

All kinds of one API server share one count of resourceVersions: sorted by it, the events of many
watches are one history, whichever watch brought them first.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.objects import controller_of, is_pod_ready, labels
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
from hourglass_operator.planning.naming import PERFORMER_LABEL, service_name

KINDS = (PERFORMERS, REPLICA_SETS, PODS, SERVICES, NETWORK_POLICIES, POD_DISRUPTION_BUDGETS)
WATCH_SECONDS = 3600


@dataclass(frozen=True)
class Happened:
    """One event of a watch; ``version`` is that of the change, of a deletion as well."""

    version: int
    plural: str
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    name: str
    performer: str
    object: Manifest


@dataclass
class History:
    """Follows a namespace while ``run`` runs; ``objects`` is how it stands now."""

    client: KubeClient
    namespace: str
    events: list[Happened] = field(default_factory=list[Happened])
    objects: dict[tuple[str, str], Manifest] = field(
        default_factory=dict[tuple[str, str], Manifest]
    )
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Follow until cancelled; a watch that ends is an error: the history would have a gap."""
        async with asyncio.TaskGroup() as group:
            for resource in KINDS:
                group.create_task(self._follow(resource))

    async def until(self, holds: Callable[[], object], seconds: float) -> bool:
        """Return whether ``holds`` became true within the time; asked at each change."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def of(self, performer: str, plural: str = "") -> dict[tuple[str, str], Manifest]:
        """Return what stands now of a performer: itself and its children, or one kind of them."""
        return {
            key: found
            for key, found in self.objects.items()
            if plural in ("", key[0]) and _performer(key[0], found) == performer
        }

    def additions(self, performer: str) -> Counter[str]:
        """Return how often each of its objects was made; pods count by their ReplicaSet."""
        return Counter(
            f"{e.plural} {e.name.rpartition('-')[0] if e.plural == 'pods' else e.name}"
            for e in self.events
            if e.performer == performer and e.type == "ADDED"
        )

    def orphans(self) -> list[str]:
        """Return the objects of performers whose controller is gone."""
        alive = {str(found["metadata"]["uid"]) for found in self.objects.values()}
        return [
            f"{plural} {name}"
            for (plural, name), found in self.objects.items()
            if plural != "performers"
            and labels(found).get(PERFORMER_LABEL)
            and controller_of(found) not in alive
        ]

    def selected(self, performer: str, since: int = 0) -> Iterator[tuple[int, int]]:
        """Yield (version, ready pods that its Service selects) after each event from ``since``.

        Nothing is yielded while there is no Service.
        """
        pods: dict[str, Manifest] = {}
        service: Manifest | None = None
        for event in sorted(self.events, key=lambda e: e.version):
            if event.performer != performer or event.plural not in ("pods", "services"):
                continue
            if event.plural == "pods":
                pods.pop(event.name, None)
                if event.type != "DELETED":
                    pods[event.name] = event.object
            elif event.name == service_name(performer):
                service = None if event.type == "DELETED" else event.object
            if service is not None and event.version >= since:
                chosen = (service["spec"].get("selector") or {}).items()
                yield (
                    event.version,
                    sum(chosen <= labels(p).items() for p in pods.values() if is_pod_ready(p)),
                )

    async def _follow(self, resource: Resource) -> None:
        page = await self.client.list(resource, self.namespace)
        for item in page.items:
            self._take(resource, "ADDED", item)
        async for event in self.client.watch(
            resource,
            self.namespace,
            resource_version=page.resource_version,
            timeout_seconds=WATCH_SECONDS,
            idle_seconds=WATCH_SECONDS,
        ):
            kind: Any = event["type"]
            assert kind != "ERROR", event
            if kind != "BOOKMARK":
                self._take(resource, kind, event["object"])
        raise AssertionError(f"the watch of {resource.plural} ended")

    def _take(
        self, resource: Resource, kind: Literal["ADDED", "MODIFIED", "DELETED"], found: Manifest
    ) -> None:
        name = str(found["metadata"]["name"])
        version = int(found["metadata"]["resourceVersion"])
        performer = _performer(resource.plural, found)
        self.events.append(Happened(version, resource.plural, kind, name, performer, found))
        if kind == "DELETED":
            self.objects.pop((resource.plural, name), None)
        else:
            self.objects[resource.plural, name] = found
        self._changed.set()
        self._changed = asyncio.Event()


def _performer(plural: str, found: Manifest) -> str:
    if plural == "performers":
        return str(found["metadata"]["name"])
    return labels(found).get(PERFORMER_LABEL, "")
