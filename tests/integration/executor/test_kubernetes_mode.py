"""Kubernetes mode on a real API: the test plays the operator and the nodes.

Each Performer object gets an EndpointSlice that points at a demo performer on loopback.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    NAMESPACES,
    PERFORMERS,
    Manifest,
)
from hourglass_common.kube.watch_state import Change
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.settings import ExecutorSettings
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest, EnvironmentVariable, KeyReference
from hourglass_services.rpc.channel import open_channel

from tests.support.addresses import own_address
from tests.support.control_pair import control
from tests.support.control_plane import ControlPlane
from tests.support.demo_performer import demo_performer
from tests.support.executor_process import running_executor, until
from tests.support.executor_values import AVS, settings, submission

DIGEST = "sha256:" + "1" * 64
pytestmark = pytest.mark.real_api


@pytest.fixture
async def api(real_api: ControlPlane, namespace: str) -> AsyncIterator[KubeClient]:
    async with KubeClient(await connect(real_api.kubeconfig)) as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await client.create(NAMESPACES, None, body)
        yield client


def in_kubernetes(
    folder: Path, plane: ControlPlane, namespace: str, **ours: Any
) -> ExecutorSettings:
    return settings(
        folder,
        processes={"allow": False},
        avsPerformers=[],
        kubernetes={
            "namespace": namespace,
            "inCluster": False,
            "kubeConfigPath": str(plane.kubeconfig),
            "deployTimeout": "20s",
            **ours,
        },
    )


@asynccontextmanager
async def operator_in_play(api: KubeClient, namespace: str, address: str) -> AsyncIterator[None]:
    """Give every Performer of ``namespace`` one ready endpoint at ``address``."""
    host, _, port = address.rpartition(":")
    work: asyncio.Queue[Manifest] = asyncio.Queue(100)

    def on_change(change: Change) -> None:
        if change.kind == "added" and change.new is not None:
            work.put_nowait(change.new)

    async def play() -> None:
        while True:
            name = (await work.get())["metadata"]["name"]
            service = f"performer-{name}"
            await api.create(
                ENDPOINT_SLICES,
                namespace,
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {
                        "name": f"{service}-1",
                        "labels": {"kubernetes.io/service-name": service},
                    },
                    # A real API refuses loopback addresses, so that the machine's own is used.
                    "addressType": "IPv4",
                    "ports": [{"name": "grpc", "port": int(port)}],
                    "endpoints": [
                        {
                            "addresses": [host],
                            "conditions": {"ready": True},
                            "targetRef": {"kind": "Pod", "name": f"{name}-abc-1"},
                        }
                    ],
                },
            )

    reflector = Reflector(
        api,
        PERFORMERS,
        namespace,
        on_change=on_change,
        clock=SystemClock(),
        rng=random.Random(1),
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reflector.run()), group.create_task(play())]
        yield
        for task in tasks:
            task.cancel()


async def test_performer_control_does_without_credentials_of_the_cluster(
    api: KubeClient, real_api: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    host = own_address()
    async with (
        demo_performer(f"--host={host}") as performer,
        operator_in_play(api, namespace, performer.address),
        control(api, namespace) as served,
    ):
        given = in_kubernetes(
            tmp_path,
            real_api,
            namespace,
            via="control",
            performerControl={"address": served.address},
            kubeConfigPath="/nowhere",
        )
        request = DeployRequest(avs_address=AVS, digest=DIGEST, registry="r.test/demo")
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            executor = ExecutorClient(channel)
            await executor.deploy(request, timeout_seconds=30)
            first = await executor.submit(submission(), timeout_seconds=20)
            assert first.output == b"0x10"
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            executor = ExecutorClient(channel)
            assert (await executor.submit(submission(2), timeout_seconds=20)).output == b"0x10"
            (info,) = await executor.list()
            await executor.remove(info.performer_id)
        assert (await api.list(PERFORMERS, namespace)).items == ()


async def test_a_deployment_becomes_a_performer_object_and_takes_tasks(
    api: KubeClient, real_api: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    host = own_address()
    given = in_kubernetes(tmp_path, real_api, namespace)
    async with (
        demo_performer(f"--host={host}") as performer,
        operator_in_play(api, namespace, performer.address),
        running_executor(given) as at,
        open_channel(at.grpc) as channel,
    ):
        executor = ExecutorClient(channel)
        request = DeployRequest(
            avs_address=AVS,
            digest="sha256:" + "a" * 64,
            registry="registry.test/demo",
            environment=(
                EnvironmentVariable(name="COLOUR", value="blue"),
                EnvironmentVariable(name="KEY", secret=KeyReference(name="s", key="k")),
            ),
            service_account="runner",
        )
        answer = await executor.deploy(request, timeout_seconds=30)
        assert answer.message == "Kubernetes deployment completed successfully"
        assert answer.deployment_id.startswith(f"k8s-deployment-{AVS}-")
        (found,) = (await api.list(PERFORMERS, namespace)).items
        spec = found["spec"]
        assert spec["image"] == "registry.test/demo@sha256:" + "a" * 64
        assert spec["config"]["environment"]["COLOUR"] == "blue"
        assert spec["config"]["environmentFrom"] == [
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
        ]
        assert spec["config"]["serviceAccountName"] == "runner"
        assert (await executor.submit(submission(), timeout_seconds=20)).output == b"0x10"
        (info,) = await executor.list()
        assert (info.status, info.container_id) == (
            "InService",
            f"{found['metadata']['name']}-abc-1",
        )
        await executor.remove(info.performer_id)
        assert (await api.list(PERFORMERS, namespace)).items == ()


async def test_a_restarted_executor_follows_the_same_object(
    api: KubeClient, real_api: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    host = own_address()
    given = in_kubernetes(tmp_path, real_api, namespace)
    async with (
        demo_performer(f"--host={host}") as performer,
        operator_in_play(api, namespace, performer.address),
    ):
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            request = DeployRequest(avs_address=AVS, digest=DIGEST, registry="r.test/demo")
            await ExecutorClient(channel).deploy(request, timeout_seconds=30)
            first = await ExecutorClient(channel).submit(submission(), timeout_seconds=20)
        before = (await api.list(PERFORMERS, namespace)).items
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            executor = ExecutorClient(channel)
            assert await executor.submit(submission(), timeout_seconds=20) == first
            assert (await executor.submit(submission(2), timeout_seconds=20)).output == b"0x10"
        after = (await api.list(PERFORMERS, namespace)).items
        assert [one["metadata"]["uid"] for one in after] == [
            one["metadata"]["uid"] for one in before
        ]


async def test_a_performer_that_never_becomes_ready_is_named_with_its_reason(
    api: KubeClient, real_api: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    given = in_kubernetes(tmp_path, real_api, namespace, deployTimeout="6s")
    async with running_executor(given) as at, open_channel(at.grpc) as channel:
        request = DeployRequest(avs_address=AVS, digest=DIGEST, registry="r.test/demo")
        with pytest.raises(HourglassError, match="has not reported on it yet") as failed:
            await ExecutorClient(channel).deploy(request, timeout_seconds=20)
        assert failed.value.code is Code.DEADLINE_EXCEEDED

        async def gone() -> bool:
            return not (await api.list(PERFORMERS, namespace)).items

        await until(gone)
