"""Kubernetes mode, put together: the way to the cluster, the deployer, the drain reports."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

from hourglass_common.domain.clock import Clock
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.rpc.channel import open_channel
from prometheus_client import CollectorRegistry

from .deployers.cluster_connection import ClusterConnection
from .deployers.kubernetes import KubernetesDeployer
from .deployers.performer_objects import ByKubernetesApi, ByPerformerControl, PerformerObjects
from .deployers.port import Deployer, Listener
from .rollout.reporter import DrainReporter, Holder
from .settings import ExecutorSettings, Kubernetes


async def enter_kubernetes(
    settings: ExecutorSettings,
    listener: Listener,
    holder: Holder,
    stack: AsyncExitStack,
    *,
    clock: Clock,
    rng: Random,
    registry: CollectorRegistry,
) -> Deployer:
    """Return the deployer of Kubernetes mode, which works until ``stack`` is closed."""
    kubernetes = settings.kubernetes
    assert kubernetes is not None
    connection = ClusterConnection(kubernetes.via, registry)
    objects = await _performer_objects(kubernetes, connection, stack, clock, rng)

    deployer = KubernetesDeployer(
        listener,
        objects,
        connection=connection,
        image_pull_policy=kubernetes.image_pull_policy,
        call_timeout=kubernetes.connection_timeout,
    )
    reporter = DrainReporter(
        holder, objects, deployer.objects, executor=executor_name(settings), clock=clock, rng=rng
    )
    await stack.enter_async_context(_reporting(reporter))
    return await stack.enter_async_context(deployer)


def executor_name(settings: ExecutorSettings) -> str:
    """Return the name that tells this executor from every other one, the same after a restart:
    the configured one, else its host's with a mark of its operator and its store."""
    given = settings.kubernetes.executor_name if settings.kubernetes else ""
    if given:
        return given
    host = socket.gethostname()
    own = "\0".join(
        (host, settings.operator.address.lower(), str(settings.store_directory.resolve()))
    )
    return f"{host}-{hashlib.sha256(own.encode()).hexdigest()[:8]}"


async def _performer_objects(
    kubernetes: Kubernetes,
    connection: ClusterConnection,
    stack: AsyncExitStack,
    clock: Clock,
    rng: Random,
) -> PerformerObjects:
    if kubernetes.via == "control":
        target = kubernetes.performer_control
        channel = await stack.enter_async_context(open_channel(target.address, target.security))
        client = PerformerControlClient(channel, rng=rng)
        return ByPerformerControl(client, channel, kubernetes.namespace, connection)
    path = kubernetes.kube_config_path or None
    kube = KubeClient(await connect(path), answered=connection.answered)
    await stack.enter_async_context(kube)
    return ByKubernetesApi(kube, kubernetes.namespace, clock, rng)


@asynccontextmanager
async def _reporting(reporter: DrainReporter) -> AsyncIterator[None]:
    """Report until the block ends, and what is to be said then."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reporter.run(), name="drain reports")
        try:
            yield
        finally:
            task.cancel()
    await reporter.finish()
