"""The operator with a node that kwok plays: nobody marks the pods Ready."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import NODES

from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster
from tests.support.played_nodes import NODE, node, place_pods, playing, why_unavailable
from tests.support.targets import PLAYED_NODES, REAL

pytestmark = pytest.mark.only(REAL, PLAYED_NODES)


@pytest.fixture
async def nodes(real_api: ControlPlane, tmp_path: Path) -> AsyncIterator[None]:
    reason = why_unavailable()
    if reason:
        pytest.skip(f"no played nodes: {reason}")
    connection = await connect(str(real_api.kubeconfig))
    async with KubeClient(connection, user_agent="test") as client:
        await client.create(NODES, None, node())
        with playing(real_api.kubeconfig, tmp_path):
            yield
        await client.delete(NODES, None, NODE, grace_period_seconds=0)


@pytest.mark.usefixtures("nodes")
async def test_a_changed_image_is_rolled_out_without_a_moment_of_fewer_instances(
    cluster: Cluster,
) -> None:
    cluster.readiness.accepts = lambda _: False  # the played kubelet says when a pod is ready
    async with cluster.operator(), asyncio.TaskGroup() as group:
        placing = group.create_task(place_pods(cluster.client, cluster.namespace))
        await cluster.create(replicas=3)
        await cluster.until_condition("Ready", "True")
        start = len(cluster.readiness.history)
        await cluster.change(image="demo:2")
        found = await cluster.until_condition("Ready", "True")
        placing.cancel()
    history = cluster.readiness.history[start:]
    assert min(len(ready) for ready in history) >= 3
    assert cluster.readiness.ready_images() == ("demo:2", "demo:2", "demo:2")
    assert found["status"]["phase"] == "Running"
    assert found["status"]["replicas"] == 3
