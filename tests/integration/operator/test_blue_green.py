"""Blue-green on a real API server: staged, gated, promoted, drained, rolled back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourglass_common.domain.drain_report import DrainReport, drain_lease
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import LEASES, NODES, PODS, SERVICES, Manifest

from tests.support.addresses import own_address
from tests.support.demo_performer import demo_performer
from tests.support.operator_cluster import Cluster, until
from tests.support.played_nodes import node, place_pods
from tests.support.targets import REAL, UNSERVED


def strategy(**settings: Any) -> dict[str, Any]:
    return {"type": "BlueGreen", "blueGreen": settings}


def reason(found: Manifest) -> str:
    return str((condition(found, "Ready") or {}).get("reason"))


def roles(found: Manifest) -> dict[str, str]:
    return {each["image"]: each["role"] for each in found["status"]["revisions"]}


async def staged(cluster: Cluster, replicas: int = 1, **more: Any) -> Manifest:
    """Bring up a performer whose second revision waits for its promotion."""
    await cluster.create(replicas=replicas, **{"strategy": strategy(), **more})
    await cluster.until_condition("Ready", "True")
    await cluster.change(image="demo:2")
    return await cluster.until_condition("Ready", "False", "AwaitingPromotion")


async def test_a_staged_revision_is_reachable_by_itself_and_promoted_by_one_switch(
    cluster: Cluster,
) -> None:
    async with cluster.operator():
        found = await staged(cluster, replicas=2)
        old = found["status"]["inServiceRevision"]
        assert await cluster.selected_revision() == old
        service = await cluster.client.get(
            SERVICES, cluster.namespace, found["status"]["stagedServiceName"]
        )
        chosen = service["spec"]["selector"]["hourglass.eigenlayer.io/revision"]
        assert chosen == found["status"]["revision"]
        start = len(cluster.readiness.history)
        await cluster.decide("Promote", found["status"]["revision"])
        found = await cluster.until_condition("Ready", "True")
        assert await cluster.selected_revision() == found["status"]["revision"]
        assert all(images.count("demo:2") == 2 for images in cluster.readiness.history[start:])
        assert "performer-demo-staged" not in await cluster.names(SERVICES)


async def test_a_kept_revision_is_returned_to_at_once_and_a_retired_one_once_it_is_up(
    cluster: Cluster,
) -> None:
    async with cluster.operator():
        await cluster.create(
            strategy=strategy(autoPromoteAfterSeconds=0), rollout={"keepPreviousSeconds": 600}
        )
        first = (await cluster.until_condition("Ready", "True"))["status"]["revision"]
        await cluster.change(image="demo:2")
        await cluster.until_condition("Ready", "True")
        pods = set(await cluster.names(PODS))
        assert len(pods) == 2
        await cluster.decide("Rollback", first)
        found = await cluster.until_condition("Stalled", "True", "RolledBack")
        assert await cluster.selected_revision() == first
        assert set(await cluster.names(PODS)) == pods  # nothing had to be started for it
        assert (condition(found, "Available") or {})["status"] == "True"


@asynccontextmanager
async def on_a_node(cluster: Cluster) -> AsyncIterator[None]:
    """Place the pods on a node: those without one have no place in an EndpointSlice."""
    name = f"node-of-{cluster.namespace}"
    await cluster.client.create(NODES, None, node(name))
    async with asyncio.TaskGroup() as group:
        placing = group.create_task(place_pods(cluster.client, cluster.namespace, name))
        try:
            yield
        finally:
            placing.cancel()
            await cluster.client.delete(NODES, None, name)


@pytest.mark.only(REAL, UNSERVED)
async def test_a_gate_is_answered_by_the_staged_instances_themselves(cluster: Cluster) -> None:
    host = own_address()
    async with (
        demo_performer(f"--host={host}") as performer,
        on_a_node(cluster),
        cluster.operator(),
    ):
        _, _, port = performer.address.rpartition(":")
        cluster.readiness.pod_ip = host
        task = {"payload": "0x4", "expectedOutput": "0x11", "timeoutSeconds": 5}
        gate = {"smokeTask": task}
        await cluster.create(
            config={"grpcPort": int(port)},
            strategy=strategy(autoPromoteAfterSeconds=0, gate=gate),
        )
        await cluster.until_condition("Ready", "True")
        await cluster.change(image="demo:2")
        found = await cluster.until_condition("Stalled", "True", "GateFailed")
        assert "answered '0x10', expected '0x11'" in (condition(found, "Ready") or {})["message"]
        assert roles(found) == {"demo:1": "InService", "demo:2": "Staged"}
        right = {"smokeTask": {**task, "expectedOutput": "0x10"}}
        await cluster.change(strategy=strategy(autoPromoteAfterSeconds=0, gate=right))
        found = await cluster.until_condition("Ready", "True")
        assert roles(found)["demo:2"] == "InService"


@pytest.mark.only(REAL, UNSERVED)
async def test_an_instance_that_can_not_be_reached_does_not_pass_the_gate(
    cluster: Cluster,
) -> None:
    async with on_a_node(cluster), cluster.operator():
        cluster.readiness.pod_ip = own_address()
        gate = {"smokeTask": {"payload": "x", "expectedOutput": "y", "timeoutSeconds": 1}}
        await cluster.create(
            config={"grpcPort": 1}, strategy=strategy(autoPromoteAfterSeconds=0, gate=gate)
        )
        await cluster.until_condition("Ready", "True")
        await cluster.change(image="demo:2")
        found = await cluster.until_condition("Ready", "False", "GateRunning")
        assert roles(found)["demo:1"] == "InService"


class Executor:
    """Reports on drains as an executor does: one Lease, written when a number changes."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.written = ""

    async def says(self, revision: str, in_flight: int, valid_seconds: float = 60) -> None:
        now = datetime.now(UTC)
        said = DrainReport(
            executor=self.name,
            revision=revision,
            in_flight=in_flight,
            lost=0,
            renewed_at=now,
            valid_until=now + timedelta(seconds=valid_seconds),
        )
        cluster = self.cluster
        lease = drain_lease(await cluster.performer(), self.name, [said], now)
        if self.written:
            await cluster.client.merge_patch(
                LEASES, cluster.namespace, self.written, lease, field_manager=self.name
            )
        else:
            made = await cluster.client.create(LEASES, cluster.namespace, lease)
            self.written = made["metadata"]["name"]


async def test_the_old_revision_waits_for_both_executors_and_the_receipt_counts(
    cluster: Cluster,
) -> None:
    one, two = Executor(cluster, "one"), Executor(cluster, "two")
    async with cluster.operator():
        found = await staged(cluster, rollout={"keepPreviousSeconds": 0})
        old = found["status"]["inServiceRevision"]
        await cluster.decide("Promote")
        await cluster.until_condition("Ready", "True")
        await one.says(old, 2)
        await two.says(old, 1)
        await asyncio.sleep(4)  # past the time for a first word: a real operator counts real time
        assert roles(await cluster.performer())["demo:1"] == "Draining"
        await one.says(old, 0)
        await two.says(old, 0)
        found = await cluster.until_performer(
            lambda f: roles(f)["demo:1"] == "Retired", "the old revision is retired"
        )
    receipt = found["status"]["receipts"][0]
    assert (receipt["action"], receipt["inFlight"], receipt["lost"]) == ("Promote", "3", "0")


async def test_an_executor_killed_in_a_drain_makes_the_figures_unknown(cluster: Cluster) -> None:
    one, two = Executor(cluster, "one"), Executor(cluster, "two")
    async with cluster.operator():
        found = await staged(cluster, rollout={"keepPreviousSeconds": 0})
        old = found["status"]["inServiceRevision"]
        await cluster.decide("Promote")
        await cluster.until_condition("Ready", "True")
        await one.says(old, 2, valid_seconds=5)
        await two.says(old, 1)
        await two.says(old, 0)
        # "one" is killed here: it never says another word.
        found = await cluster.until_performer(
            lambda f: roles(f)["demo:1"] == "Retired", "the silent executor is not waited for"
        )
    receipt = found["status"]["receipts"][0]
    assert (receipt["inFlight"], receipt["lost"]) == ("unknown", "unknown")


async def test_a_drain_does_not_outlast_its_limit(cluster: Cluster) -> None:
    one = Executor(cluster, "one")
    async with cluster.operator():
        found = await staged(cluster, rollout={"keepPreviousSeconds": 0, "drainTimeoutSeconds": 4})
        await cluster.decide("Promote")
        await cluster.until_condition("Ready", "True")
        await one.says(found["status"]["inServiceRevision"], 7, valid_seconds=600)
        found = await cluster.until_performer(
            lambda f: roles(f)["demo:1"] == "Retired", "the drain is cut"
        )
    assert found["status"]["receipts"][0]["lost"] == "unknown"


async def test_an_abort_by_time_leaves_the_old_revision_in_service(cluster: Cluster) -> None:
    async with cluster.operator():
        await staged(cluster, strategy=strategy(abortAfterSeconds=2))
        found = await cluster.until_condition("Stalled", "True", "Aborted")
        await until(lambda: _one_pod(cluster), "the staged instance is gone")
    assert found["status"]["receipts"][0]["who"] == "hourglass-operator"


async def _one_pod(cluster: Cluster) -> bool | None:
    return True if len(await cluster.names(PODS)) == 1 else None
