"""Start, stop, leadership and metrics of the operator as a program."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.resources import LEASES
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_operator.main import run
from hourglass_operator.runtime.leader import LEASE_NAME, Leader

from tests.support.operator_cluster import Cluster, until


async def test_the_operator_stops_within_two_seconds(cluster: Cluster) -> None:
    loop = asyncio.get_running_loop()
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        asked = loop.time()
    assert loop.time() - asked < 2


async def test_metrics_have_the_names_of_controller_runtime(cluster: Cluster) -> None:
    async with cluster.operator(metrics_bind_address="127.0.0.1:0") as addresses:
        await cluster.create()
        await cluster.until_condition("Ready", "True")

        async def shown() -> str | None:
            url = f"http://{addresses.metrics}"
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{url}/readyz") as ready:
                    assert ready.status == 200
                async with session.get(f"{url}/metrics") as answer:
                    text = await answer.text()
            mine = f'namespace="{cluster.namespace}",performer="demo"'
            return text if f"hourglass_performer_ready{{{mine}}} 1.0" in text else None

        text = await until(shown, "the performer counts as ready")
    for name in (
        'controller_runtime_reconcile_total{controller="performer",result="success"}',
        "controller_runtime_reconcile_time_seconds_bucket",
        'workqueue_depth{name="performer"}',
        'workqueue_adds_total{name="performer"}',
    ):
        assert name in text


async def test_a_taken_port_is_an_error_that_names_its_flag(cluster: Cluster) -> None:
    async with cluster.operator(metrics_bind_address="127.0.0.1:0") as addresses:
        settings = cluster.settings(metrics_bind_address=addresses.metrics)
        with pytest.raises(ExceptionGroup) as caught:
            await run(settings)
    (error,) = caught.value.exceptions
    assert isinstance(error, HourglassError)
    assert "--metrics-bind-address" in str(error)


@asynccontextmanager
async def leading(cluster: Cluster, identity: str) -> AsyncIterator[Leader]:
    leader = Leader(cluster.client, cluster.namespace, identity, SystemClock())
    async with asyncio.timeout(20):
        await leader.acquire()
    yield leader
    await leader.release()


async def test_the_leader_alone_reconciles_and_gives_the_lease_back(cluster: Cluster) -> None:
    elect = {"leader_elect": True, "leader_election_namespace": cluster.namespace}
    async with leading(cluster, "other"), asyncio.TaskGroup() as group:
        follower = group.create_task(run(cluster.settings(**elect)))
        await cluster.create()
        await asyncio.wait({follower}, timeout=1.5)
        assert (await cluster.performer())["status"] == {"observedGeneration": -1}
        follower.cancel()
    async with cluster.operator(**elect):
        await cluster.until_condition("Ready", "True")
        lease = await cluster.client.get(LEASES, cluster.namespace, LEASE_NAME)
        assert lease["spec"]["holderIdentity"] not in ("", "other")
    lease = await cluster.client.get(LEASES, cluster.namespace, LEASE_NAME)
    assert lease["spec"].get("holderIdentity", "") == ""


async def test_a_deposed_leader_ends_and_writes_no_more(cluster: Cluster) -> None:
    async with leading(cluster, "first") as leader:
        assert leader.leads()
        taken = {"spec": {"holderIdentity": "second", "renewTime": None}}
        await cluster.client.merge_patch(LEASES, cluster.namespace, LEASE_NAME, taken)
        with pytest.raises(HourglassError) as caught:
            async with asyncio.timeout(30):
                await leader.hold(lambda: None)
        assert caught.value.code is Code.ABORTED
        assert not leader.leads()
    lease = await cluster.client.get(LEASES, cluster.namespace, LEASE_NAME)
    assert lease["spec"]["holderIdentity"] == "second"
