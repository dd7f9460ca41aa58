"""A namespace on the real control plane for each test of the operator."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import NAMESPACES, SERVICE_ACCOUNTS, Manifest

from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster, until
from tests.support.readiness import PodReadiness


@pytest.fixture
async def cluster(real_api: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    connection = await connect(str(real_api.kubeconfig))
    async with KubeClient(connection, user_agent="test") as client:  # not a request of our programs
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})

        async def account() -> Manifest | None:
            try:
                return await client.get(SERVICE_ACCOUNTS, namespace, "default")
            except KubeError:
                return None  # pods are refused until the controller has made it

        await until(account, "the namespace has its service account")
        readiness = PodReadiness(client, namespace, accepts=lambda _: True)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(readiness.run())
            yield Cluster(client, namespace, real_api.kubeconfig, real_api.audit_log, readiness)
            following.cancel()
        await client.delete(NAMESPACES, None, namespace)
