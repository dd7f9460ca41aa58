"""What an executor sees of a rollout that it watches through PerformerControl."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import pytest
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.kube.resources import NODES
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Filter, PerformerView
from hourglass_services.rpc.channel import open_channel

from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster
from tests.support.played_nodes import node, place_pods


class Watched:
    """Follows the performer; ``views`` is all that was told of it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.views: list[PerformerView] = []
        self.told = asyncio.Event()

    async def follow(self, client: PerformerControlClient) -> None:
        wanted = Filter(namespace=self.cluster.namespace, name="demo")
        async with aclosing(client.watch(wanted)) as stream:  # type: ignore[type-var]
            async for event in stream:
                if event.performer is not None:
                    self.views.append(event.performer)
                    self.told.set()

    async def until(self, holds: Callable[[dict[str, Role]], bool]) -> dict[str, Role]:
        """Return the roles by revision once they are as wanted."""
        try:
            async with asyncio.timeout(20):
                while not (self.views and holds(roles(self.views[-1].endpoints))):
                    self.told.clear()
                    await self.told.wait()
        except TimeoutError as exc:
            seen = [roles(view.endpoints) for view in self.views[-3:]]
            raise AssertionError(f"the last that was told: {seen}") from exc
        return roles(self.views[-1].endpoints)


def roles(endpoints: tuple[Endpoint, ...]) -> dict[str, Role]:
    return {endpoint.revision: endpoint.role for endpoint in endpoints}


@asynccontextmanager
async def watched(cluster: Cluster) -> AsyncIterator[Watched]:
    """Run the operator, and watch it as an executor does."""
    async with (
        cluster.operator() as addresses,
        open_channel(addresses.control) as channel,
        asyncio.TaskGroup() as group,
    ):
        found = Watched(cluster)
        client = PerformerControlClient(channel, rng=random.Random(1))
        following = group.create_task(found.follow(client))
        yield found
        following.cancel()


@pytest.fixture
async def addressed(cluster: Cluster, plane: ControlPlane) -> AsyncIterator[Cluster]:
    """Give pods addresses: on a real API one needs a node for a place in an EndpointSlice."""
    async with AsyncExitStack() as stack:
        if plane.audit_log.exists():
            cluster.readiness.pod_ip = "10.9.8.7"
            name = f"node-of-{cluster.namespace}"
            await cluster.client.create(NODES, None, node(name))
            stack.push_async_callback(cluster.client.delete, NODES, None, name)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            placing = group.create_task(place_pods(cluster.client, cluster.namespace, name))
            stack.callback(placing.cancel)
        else:
            cluster.readiness.pod_ip, cluster.readiness.port = "127.0.0.1", "41000"
        yield cluster


async def test_the_roles_of_a_blue_green_rollout_are_told_and_no_instance_is_lost_sight_of(
    addressed: Cluster,
) -> None:
    cluster = addressed
    strategy: dict[str, Any] = {"type": "BlueGreen", "blueGreen": {}}
    async with watched(cluster) as seen:
        await cluster.create(strategy=strategy, rollout={"keepPreviousSeconds": 600})
        (old,) = await seen.until(lambda r: list(r.values()) == [Role.IN_SERVICE])
        await cluster.change(image="demo:2")
        staged = await seen.until(lambda r: set(r.values()) == {Role.IN_SERVICE, Role.STAGED})
        (new,) = set(staged) - {old}
        assert staged == {old: Role.IN_SERVICE, new: Role.STAGED}
        before = len(seen.views)
        await cluster.decide("Promote", new)
        promoted = {old: Role.DRAINING, new: Role.IN_SERVICE}
        await seen.until(lambda r: r == promoted)
        assert all(old in roles(view.endpoints) for view in seen.views[before:])
        await cluster.until_condition("Ready", "True")
        address = {e.revision: e.address for e in seen.views[before].endpoints}[old]
    async with watched(cluster) as seen:  # restarted: it never saw the old one in the Service
        await seen.until(lambda r: r == promoted)
        found = {e.revision: e for e in seen.views[-1].endpoints}[old]
        assert (found.address, found.ready) == (address, True)
        await cluster.decide("Rollback", old)
        await seen.until(lambda r: r == {old: Role.IN_SERVICE, new: Role.DRAINING})


async def test_a_fenced_performer_drains_and_a_suspended_one_has_no_instances(
    addressed: Cluster,
) -> None:
    cluster = addressed
    async with watched(cluster) as seen:
        await cluster.create(replicas=2)
        await cluster.until_condition("Ready", "True", "InstancesReady")
        await seen.until(lambda _: len(seen.views[-1].endpoints) == 2)
        before = len(seen.views)
        await cluster.change(fence=True)
        await seen.until(lambda r: list(r.values()) == [Role.DRAINING])
        await cluster.until_condition("Ready", "True", "Fenced")
        await asyncio.sleep(0.5)  # what the slices say comes after
        assert {len(view.endpoints) for view in seen.views[before:]} == {2}
        assert set(roles(seen.views[-1].endpoints).values()) == {Role.DRAINING}
        await cluster.change(fence=False)
        await seen.until(lambda r: list(r.values()) == [Role.IN_SERVICE])
        await cluster.change(suspend=True)
        await seen.until(lambda r: r == {})


async def test_a_rolling_update_takes_instances_out_before_they_go(addressed: Cluster) -> None:
    cluster = addressed
    async with watched(cluster) as seen:
        await cluster.create()
        (old,) = await seen.until(lambda r: list(r.values()) == [Role.IN_SERVICE])
        before = len(seen.views)
        await cluster.change(image="demo:2")
        await seen.until(lambda r: list(r.values()) == [Role.IN_SERVICE] and old not in r)
        told = [roles(view.endpoints).get(old) for view in seen.views[before:]]
    without_repeats = [role for n, role in enumerate(told) if n == 0 or told[n - 1] is not role]
    assert without_repeats == [Role.IN_SERVICE, Role.DRAINING, None]
