"""The Kubernetes API of the kubeconfig that a command means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import PERFORMERS

from .target import Target


@asynccontextmanager
async def kube_client(target: Target) -> AsyncIterator[KubeClient]:
    """Open the API that ``target`` means."""
    connection = await connect(target.kubeconfig, target.context or None)
    async with KubeClient(
        connection, timeout_seconds=target.timeout_seconds, acting_as=target.acting_as
    ) as client:
        yield client


async def names(target: Target) -> list[str]:
    """Return the names of the performers there, for completion: one request and no more."""
    async with kube_client(target) as kube:
        everywhere = target.all_namespaces
        namespace = None if everywhere else target.namespace or kube.connection.namespace
        page = await kube.list(PERFORMERS, namespace)
    return [str(each["metadata"]["name"]) for each in page.items]
