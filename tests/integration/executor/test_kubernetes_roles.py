"""Kubernetes mode with own credentials: who takes tasks, and what is said of those that drain."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_common.domain.drain_report import DrainReport, reports_of
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.resources import PERFORMERS, Manifest
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.deployers.performer_objects import ByKubernetesApi
from hourglass_executor.settings import ExecutorSettings
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest
from hourglass_services.rpc.channel import open_channel
from prometheus_client import CollectorRegistry

from tests.support.addresses import own_address
from tests.support.control_plane import ControlPlane
from tests.support.executor_process import running_executor, until
from tests.support.executor_values import AVS, settings, submission
from tests.support.fault_proxy import fault_proxy
from tests.support.performers import Context, Performer, running
from tests.support.played_slices import PlayedCluster, played_cluster

DIGEST = "sha256:" + "1" * 64
REQUEST = DeployRequest(avs_address=AVS, digest=DIGEST, registry="r.test/demo")
pytestmark = pytest.mark.real_api


class Held:
    """A handler whose tasks end when the test says so."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    async def __call__(
        self, request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        await self.release.wait()
        return performer_pb2.TaskResponse(task_id=request.task_id, result=request.payload)


@pytest.fixture
async def cluster(plane: ControlPlane, namespace: str) -> AsyncIterator[PlayedCluster]:
    async with played_cluster(plane, namespace) as found:
        yield found


def in_cluster(cluster: PlayedCluster, folder: Path, **kubernetes: object) -> ExecutorSettings:
    return settings(
        folder,
        processes={"allow": False},
        avsPerformers=[],
        kubernetes={
            "namespace": cluster.namespace,
            "inCluster": False,
            "kubeConfigPath": str(cluster.plane.kubeconfig),
            "deployTimeout": "20s",
            "executorName": "one",
            **kubernetes,
        },
    )


async def deployed(cluster: PlayedCluster, client: ExecutorClient, first: Performer) -> str:
    """Deploy, with ``first`` in service; returns the name of the Performer object."""
    async with asyncio.TaskGroup() as group:
        group.create_task(client.deploy(REQUEST, timeout_seconds=30))
        name = str((await cluster.performer())["metadata"]["name"])
        first.name = f"{name}-aaaaaaaaa-x1"
        await cluster.behind(f"performer-{name}", first)
    return name


def reports(leases: tuple[Manifest, ...]) -> tuple[DrainReport, ...]:
    return tuple(report for lease in leases for report in reports_of(lease))


async def test_a_staged_instance_takes_tasks_only_once_it_is_in_service(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    host = own_address()
    old, new = Performer(host=host), Performer(host=host)
    async with (
        running(old, new),
        running_executor(in_cluster(cluster, tmp_path)) as at,
        open_channel(at.grpc) as channel,
    ):
        client = ExecutorClient(channel)
        name = await deployed(cluster, client, old)
        new.name = f"{name}-bbbbbbbbb-x1"
        await cluster.behind(await cluster.has_staged_service(name), new)

        async def staged() -> bool:
            (info,) = await client.list()
            return info.container_id == f"{old.name},{new.name}"

        await until(staged)
        for number in range(1, 5):
            await client.submit(submission(number), timeout_seconds=10)
        assert (len(old.ledger), len(new.ledger)) == (4, 0)
        await cluster.behind(f"performer-{name}", new)

        async def promoted() -> bool:
            (info,) = await client.list()
            return info.container_id == new.name

        await until(promoted)
        for number in range(5, 9):
            await client.submit(submission(number), timeout_seconds=10)
        assert (len(old.ledger), len(new.ledger)) == (4, 4)


async def test_an_instance_that_leaves_the_service_finishes_and_its_drain_is_reported(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    host = own_address()
    held = Held()
    old, new = Performer(host=host, handler=held), Performer(host=host)
    async with (
        running(old, new),
        running_executor(in_cluster(cluster, tmp_path)) as at,
        open_channel(at.grpc) as channel,
        asyncio.TaskGroup() as group,
    ):
        client = ExecutorClient(channel)
        name = await deployed(cluster, client, old)
        first = group.create_task(client.submit(submission(1), timeout_seconds=30))
        await old.began.wait()
        assert await cluster.leases() == ()
        new.name = f"{name}-bbbbbbbbb-x1"
        await cluster.behind(f"performer-{name}", new)

        async def said() -> tuple[DrainReport, ...]:
            return reports(await cluster.leases())

        (report,) = await until(said)
        assert (report.executor, report.revision) == ("one", "aaaaaaaaa")
        assert (report.in_flight, report.lost) == (1, 0)
        assert report.instances == {old.name: 1}
        assert 290 < (report.valid_until - report.renewed_at).total_seconds() < 310
        assert (await client.submit(submission(2), timeout_seconds=10)).output == b"0x4"
        assert (len(old.ledger), len(new.ledger)) == (1, 1)
        held.release.set()
        assert (await first).output == b"0x4"

        async def ended() -> bool:
            (report,) = reports(await cluster.leases())
            return report.in_flight == 0

        await until(ended)
        (lease,) = await cluster.leases()
        (report,) = reports_of(lease)
        assert (report.valid_until - report.renewed_at).total_seconds() == 60
        (owner,) = lease["metadata"]["ownerReferences"]
        assert owner["uid"] == (await cluster.performer())["metadata"]["uid"]
        written = lease["metadata"]["resourceVersion"]
        for number in range(3, 13):
            await client.submit(submission(number), timeout_seconds=10)
        (lease,) = await cluster.leases()
        assert lease["metadata"]["resourceVersion"] == written


async def test_while_the_api_is_away_tasks_go_on_and_deployments_are_refused_at_once(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    host = own_address()
    old, new = Performer(host=host), Performer(host=host)
    metrics = CollectorRegistry()

    def connected() -> float | None:
        name = "hourglass_executor_cluster_connected"
        return metrics.get_sample_value(name, {"via": "performers"})

    async with (
        fault_proxy(cluster.plane.url, cluster.plane.kubeconfig) as proxy,
        running(old, new),
        running_executor(
            in_cluster(cluster, tmp_path, kubeConfigPath=str(proxy.kubeconfig)), metrics
        ) as at,
        open_channel(at.grpc) as channel,
    ):
        client = ExecutorClient(channel)
        name = await deployed(cluster, client, old)
        assert connected() == 1
        await proxy.refuse_connections()
        await until(lambda: connected() == 0)
        new.name = f"{name}-bbbbbbbbb-x1"
        await cluster.behind(f"performer-{name}", new)
        for number in range(1, 5):
            await client.submit(submission(number), timeout_seconds=10)
        assert len(old.ledger) == 4
        began = asyncio.get_running_loop().time()
        with pytest.raises(HourglassError, match="does not answer") as refused:
            await client.deploy(REQUEST, timeout_seconds=30)
        assert asyncio.get_running_loop().time() - began < 3
        assert refused.value.code is Code.UNAVAILABLE
        assert refused.value.reason == "KUBERNETES_AWAY"
        assert refused.value.retry_after == 5.0
        await proxy.listen()
        await until(lambda: connected() == 1)

        async def elsewhere() -> bool:
            number = 5 + len(old.ledger) + len(new.ledger)
            await client.submit(submission(number), timeout_seconds=10)
            return bool(new.ledger)

        await until(elsewhere)


async def test_an_object_deleted_by_somebody_else_is_told_and_not_made_again(
    cluster: PlayedCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = own_address()
    performer = Performer(host=host)
    given = in_cluster(cluster, tmp_path)
    async with running(performer):
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            client = ExecutorClient(channel)
            name = await deployed(cluster, client, performer)
            await cluster.delete_performer(name)

            async def noticed() -> bool:
                (info,) = await client.list()
                return not info.resource_healthy and info.container_id == ""

            await until(noticed)
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            client = ExecutorClient(channel)
            (info,) = await client.list()
            assert not info.resource_healthy
            said: list[str] = []

            def told() -> bool:
                said.append(capfd.readouterr().out)
                return f"the Performer {name} was deleted in the cluster" in "".join(said)

            await until(told)
            await client.remove(info.performer_id)
            assert await client.list() == ()
        page = await cluster.client.list(PERFORMERS, cluster.namespace)
        assert page.items == ()


async def test_an_object_of_the_same_name_that_is_not_ours_is_left_alone(
    cluster: PlayedCluster, tmp_path: Path
) -> None:
    performer = Performer(host=own_address())
    async with (
        running(performer),
        running_executor(in_cluster(cluster, tmp_path)) as at,
        open_channel(at.grpc) as channel,
    ):
        client = ExecutorClient(channel)
        name = await deployed(cluster, client, performer)
        await cluster.delete_performer(name)
        foreign = {
            "apiVersion": PERFORMERS.api_version,
            "kind": "Performer",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "argocd"}},
            "spec": {"avsAddress": AVS, "image": "other:1"},
        }
        await cluster.client.create(PERFORMERS, cluster.namespace, foreign)
        (info,) = await client.list()
        await client.remove(info.performer_id)
        left = await cluster.performer()
        assert left["spec"]["image"] == "other:1"
        assert not left["metadata"].get("deletionTimestamp")


async def test_a_deletion_is_of_the_one_object_that_was_made(cluster: PlayedCluster) -> None:
    body = {
        "apiVersion": PERFORMERS.api_version,
        "kind": "Performer",
        "metadata": {"name": "demo"},
        "spec": {"avsAddress": AVS, "image": "demo:1"},
    }
    made = await cluster.client.create(PERFORMERS, cluster.namespace, body)
    objects = ByKubernetesApi(cluster.client, cluster.namespace, SystemClock(), Random(1))
    await objects.delete("demo", "00000000-0000-0000-0000-000000000000")
    assert (await cluster.performer())["metadata"]["uid"] == made["metadata"]["uid"]
    await objects.delete("demo", made["metadata"]["uid"])
    await objects.delete("demo", made["metadata"]["uid"])  # nothing happens if there is none
    assert (await cluster.client.list(PERFORMERS, cluster.namespace)).items == ()


async def test_a_removal_waits_for_the_tasks_of_the_performer(
    cluster: PlayedCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    held = Held()
    performer = Performer(host=own_address(), handler=held)
    async with (
        running(performer),
        running_executor(in_cluster(cluster, tmp_path)) as at,
        open_channel(at.grpc) as channel,
        asyncio.TaskGroup() as group,
    ):
        client = ExecutorClient(channel)
        await deployed(cluster, client, performer)
        task = group.create_task(client.submit(submission(1), timeout_seconds=30))
        await performer.began.wait()
        (info,) = await client.list()
        removal = group.create_task(client.remove(info.performer_id))

        async def off_the_list() -> bool:
            return await client.list() == ()

        await until(off_the_list)
        await asyncio.sleep(0.2)  # time enough to delete it too early
        assert await cluster.performer()
        held.release.set()
        assert (await task).output == b"0x4"
        await removal
        assert "not by this executor" not in capfd.readouterr().out
        assert (await cluster.client.list(PERFORMERS, cluster.namespace)).items == ()
