"""Start, stop, leadership and metrics of the operator as a program."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.resources import LEASES, PERFORMERS
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
        'workqueue_work_duration_seconds_count{name="performer"}',
        'workqueue_unfinished_work_seconds{name="performer"}',
        'workqueue_longest_running_processor_seconds{name="performer"}',
        'controller_runtime_active_workers{controller="performer"}',
        'controller_runtime_max_concurrent_reconciles{controller="performer"} 8.0',
        'rest_client_requests_total{code="201",method="POST"}',
    ):
        assert name in text


async def test_the_series_of_a_performer_go_with_it(cluster: Cluster) -> None:
    async with cluster.operator(metrics_bind_address="127.0.0.1:0") as addresses:
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        mine = f'namespace="{cluster.namespace}"'

        async def series(*, some: bool) -> bool | None:
            _, text = await fetched(addresses.metrics, "/metrics")
            return True if (mine in text) == some else None

        await until(lambda: series(some=True), "the performer is shown")
        await cluster.client.delete(PERFORMERS, cluster.namespace, "demo")
        await until(lambda: series(some=False), "nothing of it is left")


async def test_the_probes_name_what_they_look_at(cluster: Cluster) -> None:
    async with cluster.operator(metrics_bind_address="127.0.0.1:0") as addresses:
        status, text = await fetched(addresses.metrics, "/readyz?verbose")
        assert status == 200, text
        assert "[+]PerformerControl ok" in text
        for kind in ("performers", "pods", "replicasets", "endpointslices", "leases"):
            assert f"[+]{kind} ok: news " in text
        status, text = await fetched(addresses.metrics, "/healthz?verbose")
        assert status == 200, text
        for name in ("event loop", "watch of performers", "workers"):
            assert f"[+]{name} ok" in text


async def fetched(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as got:
        return got.status, await got.text()


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
