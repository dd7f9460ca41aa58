"""One world with what every measurement needs: a client, names, children, a place to begin."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.resources import NAMESPACES, PERFORMERS, PODS, SERVICE_ACCOUNTS, Resource

from tests.bench.operator_rig.bare_client import NAME, Step
from tests.bench.operator_rig.kubelet import bind_step
from tests.bench.operator_rig.observer import Observer, observing
from tests.bench.operator_rig.programs import Operator, Spent, bare_client
from tests.bench.operator_rig.wire import Server
from tests.bench.operator_rig.world import NODE_COUNT, World, node_name

CONNECTIONS = 16
"""More make the bare client no quicker on two cores."""
PAUSE = 0.05
CONTROLLERS_SYNC_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A world, the bench's client in it, and the operator under test if it runs there."""

    world: World
    client: KubeClient
    operator: Operator | None = None

    @asynccontextmanager
    async def namespace(self, name: str, kinds: Iterable[Resource] = ()) -> AsyncIterator[Observer]:
        """Make a namespace, ready to take pods, and observe it while the block runs."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self.client.create(NAMESPACES, None, body)
        while not (await self.client.list(SERVICE_ACCOUNTS, name)).items:
            await asyncio.sleep(0.05)
        async with observing(self.client, name, kinds) as observer:
            await asyncio.sleep(0.2)  # the watches are open
            yield observer

    async def spend(
        self,
        steps: Sequence[Step],
        names: Sequence[str],
        *,
        server: Server | None = None,
        connections: int = CONNECTIONS,
    ) -> Spent:
        """Run these chains by the bare client, as fast as it goes."""
        folder = self.world.folder
        async with bare_client(
            folder, server or self.world.admin, steps, names, connections=connections
        ) as client:
            return await client.go()

    async def restart_controllers(self, namespace: str, *, limited: bool) -> None:
        """Run the controllers anew; returns once they work again and have looked at everything."""
        await asyncio.to_thread(self.world.restart_controllers, limited=limited)
        async with self.namespace(namespace):
            await asyncio.sleep(CONTROLLERS_SYNC_SECONDS)

    async def bind(self, namespace: str, observer: Observer) -> None:
        """Bind every pod that has no node, spread over the nodes."""
        free = [pod for pod in observer.all(PODS) if not pod["spec"].get("nodeName")]
        names = [pod["metadata"]["name"] for pod in free]
        for number in range(NODE_COUNT):
            if part := names[number::NODE_COUNT]:
                await self.spend([bind_step(namespace, node_name(number))], part)

    async def clear(self, namespace: str, observer: Observer) -> None:
        """Delete every Performer, end their pods, and wait until nothing is left."""
        performers = [found["metadata"]["name"] for found in observer.all(PERFORMERS)]
        path = PERFORMERS.path(namespace, NAME)
        await self.spend([Step("DELETE", path, "", "")], performers)
        await observer.until(lambda: not _sets(observer), "children collected")
        bound = [p["metadata"]["name"] for p in observer.all(PODS) if p["spec"].get("nodeName")]
        if bound and not self.world.kind.nodes:
            path = PODS.path(namespace, NAME) + "?gracePeriodSeconds=0"
            await self.spend([Step("DELETE", path, "", "")], bound)
        await observer.until(lambda: not observer.objects, "everything gone")


def _sets(observer: Observer) -> list[object]:
    return [key for key in observer.objects if key[0] != PODS.plural]
