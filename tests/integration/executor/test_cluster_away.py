"""The cluster is away: what runs goes on, what is new waits or is refused, all of it resumes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hourglass_common.domain.drain_report import DRAIN_ANNOTATION
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import PERFORMERS
from hourglass_executor.settings import ExecutorSettings
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest
from hourglass_services.rpc.channel import open_channel
from prometheus_client import CollectorRegistry

from tests.support.addresses import own_address
from tests.support.control_pair import control
from tests.support.control_plane import ControlPlane
from tests.support.executor_process import running_executor, until
from tests.support.executor_values import AVS, settings, submission
from tests.support.fault_proxy import Answer, fault_proxy, pass_on
from tests.support.performers import Performer, running
from tests.support.played_slices import PlayedCluster, played_cluster
from tests.support.stopping_proxy import stopping_proxy

pytestmark = pytest.mark.real_api

REQUEST = DeployRequest(avs_address=AVS, digest="sha256:" + "1" * 64, registry="r.test/demo")
CONFIGURED = {
    "image": {"repository": "r.test/demo", "tag": "v1"},
    "avsAddress": AVS,
    "deploymentMode": "kubernetes",
}


@pytest.fixture
async def cluster(plane: ControlPlane, namespace: str) -> AsyncIterator[PlayedCluster]:
    async with played_cluster(plane, namespace) as found:
        yield found


def given(
    cluster: PlayedCluster, folder: Path, kubernetes: dict[str, Any], *performers: dict[str, Any]
) -> ExecutorSettings:
    return settings(
        folder,
        processes={"allow": False},
        avsPerformers=list(performers),
        metrics={"address": "127.0.0.1:0"},
        kubernetes={
            "namespace": cluster.namespace,
            "inCluster": False,
            "kubeConfigPath": str(cluster.plane.kubeconfig),
            "deployTimeout": "20s",
            **kubernetes,
        },
    )


def connected(metrics: CollectorRegistry, via: str) -> Callable[[], float | None]:
    name = "hourglass_executor_cluster_connected"
    return lambda: metrics.get_sample_value(name, {"via": via})


async def serve_first(cluster: PlayedCluster, performer: Performer) -> str:
    """Put ``performer`` behind the Service of the one Performer object, once that is there."""
    name = str((await cluster.performer())["metadata"]["name"])
    performer.name = f"{name}-aaaaaaaaa-x1"
    await cluster.behind(f"performer-{name}", performer)
    return name


async def test_an_executor_that_starts_without_its_cluster_deploys_once_it_is_back(
    cluster: PlayedCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    performer = Performer(host=own_address())
    metrics = CollectorRegistry()
    async with fault_proxy(cluster.plane.url, cluster.plane.kubeconfig) as proxy:
        await proxy.refuse_connections()
        way = {"kubeConfigPath": str(proxy.kubeconfig)}
        async with (
            running(performer),
            running_executor(given(cluster, tmp_path, way, CONFIGURED), metrics) as at,
            open_channel(at.grpc) as channel,
            aiohttp.ClientSession() as session,
        ):
            client = ExecutorClient(channel)
            up = connected(metrics, "performers")
            await until(lambda: up() == 0)
            await asyncio.sleep(1.5)  # time for another try
            (info,) = await client.list()
            assert (info.status, info.resource_healthy) == ("Staged", False)
            async with session.get(f"http://{at.admin}/readyz") as answer:
                assert answer.status == 200
            await proxy.listen()
            await serve_first(cluster, performer)
            assert (await client.submit(submission(1), timeout_seconds=20)).output == b"0x4"
            assert up() == 1
            (info,) = await client.list()
            assert info.status == "InService"
    assert len((await cluster.client.list(PERFORMERS, cluster.namespace)).items) == 1
    said = capfd.readouterr().out
    assert said.count("the cluster does not answer") - said.count("about the Performer") == 1
    assert said.count("the cluster answers again") == 1


async def test_a_deployment_fails_fast_on_an_api_that_lets_everybody_wait(
    dev_api: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    metrics = CollectorRegistry()
    up = connected(metrics, "performers")
    async with (
        played_cluster(dev_api, namespace) as cluster,
        fault_proxy(dev_api.url, dev_api.kubeconfig) as proxy,
    ):
        way = {"kubeConfigPath": str(proxy.kubeconfig)}
        async with (
            running_executor(given(cluster, tmp_path, way), metrics) as at,
            open_channel(at.grpc) as channel,
        ):
            await until(lambda: up() == 1)

            async def late(asked: Any) -> Any:
                if asked.is_write:
                    await asyncio.sleep(60)
                return Answer(503, "ServiceUnavailable")

            proxy.before = late
            proxy.cut_watches()
            await until(lambda: up() == 0)
            began = asyncio.get_running_loop().time()
            with pytest.raises(HourglassError, match="no answer in time") as refused:
                await ExecutorClient(channel).deploy(REQUEST, timeout_seconds=30)
            assert asyncio.get_running_loop().time() - began < 4
            assert refused.value.code is Code.UNAVAILABLE
            proxy.before = pass_on


async def test_while_performer_control_is_away_tasks_go_on_and_all_resumes_by_itself(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    host = own_address()
    old, new = Performer(host=host), Performer(host=host)
    metrics = CollectorRegistry()
    up = connected(metrics, "control")
    async with (
        KubeClient(await connect(cluster.plane.kubeconfig)) as kube,
        control(kube, cluster.namespace) as served,
        stopping_proxy(served.address) as proxy,
    ):
        way = {"via": "control", "performerControl": {"address": proxy.address}}
        async with (
            running(old, new),
            running_executor(given(cluster, tmp_path, way), metrics) as at,
            open_channel(at.grpc) as channel,
        ):
            client = ExecutorClient(channel)
            async with asyncio.TaskGroup() as group:
                group.create_task(client.deploy(REQUEST, timeout_seconds=30))
                name = await serve_first(cluster, old)
            assert up() == 1
            await proxy.stop()
            await until(lambda: up() == 0)
            new.name = f"{name}-bbbbbbbbb-x1"
            await cluster.behind(f"performer-{name}", new)
            for number in range(1, 5):
                await client.submit(submission(number), timeout_seconds=10)
            assert (len(old.ledger), len(new.ledger)) == (4, 0)
            began = asyncio.get_running_loop().time()
            with pytest.raises(HourglassError) as refused:
                await client.deploy(REQUEST, timeout_seconds=30)
            assert asyncio.get_running_loop().time() - began < 3
            assert (refused.value.code, refused.value.reason) == (
                Code.UNAVAILABLE,
                "KUBERNETES_AWAY",
            )
            assert refused.value.retry_after == 5.0
            await proxy.start()
            await until(lambda: up() == 1)

            async def elsewhere() -> bool:
                number = 5 + len(old.ledger) + len(new.ledger)
                await client.submit(submission(number), timeout_seconds=10)
                return bool(new.ledger)

            await until(elsewhere)


async def test_a_performer_control_that_is_none_counts_as_away(
    dev_api: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    metrics = CollectorRegistry()
    other = Performer()
    async with running(other), played_cluster(dev_api, namespace) as cluster:
        way = {"via": "control", "performerControl": {"address": f"127.0.0.1:{other.port}"}}
        async with running_executor(given(cluster, tmp_path, way), metrics):
            await until(lambda: connected(metrics, "control")() == 0)
            await asyncio.sleep(0.5)  # the channel stays connected
            assert connected(metrics, "control")() == 0


async def test_a_drain_report_that_can_not_be_written_is_written_once_the_cluster_is_back(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    host = own_address()
    old, new = Performer(host=host), Performer(host=host)
    async with fault_proxy(cluster.plane.url, cluster.plane.kubeconfig) as proxy:
        way = {"kubeConfigPath": str(proxy.kubeconfig)}
        async with (
            running(old, new),
            running_executor(given(cluster, tmp_path, way)) as at,
            open_channel(at.grpc) as channel,
        ):
            client = ExecutorClient(channel)
            async with asyncio.TaskGroup() as group:
                group.create_task(client.deploy(REQUEST, timeout_seconds=30))
                name = await serve_first(cluster, old)
            refused = asyncio.Event()

            async def no_leases(asked: Any) -> Any:
                if asked.resource == "leases":
                    refused.set()
                    return Answer(503, "ServiceUnavailable")
                return None

            proxy.before = no_leases
            new.name = f"{name}-bbbbbbbbb-x1"
            await cluster.behind(f"performer-{name}", new)
            await refused.wait()
            assert await cluster.leases() == ()
            proxy.before = pass_on
            (lease,) = await until(cluster.leases)
            assert (
                json.loads(lease["metadata"]["annotations"][DRAIN_ANNOTATION])[0]["inFlight"] == 0
            )
