"""The way through a kubeconfig: the operator's own PerformerControl, in this process.

It reads and writes with the user's own credentials: the Kubernetes API decides what they may.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hourglass_common.domain.drain_report import DRAIN_LABEL
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.namespaces import Cache, Nothing
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    LEASES,
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_operator.control.server import make_control
from hourglass_operator.runtime.gather import Caches
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.servicer import PerformerControlServicer

from .failures import unwrapped
from .in_process import InProcessChannel

FIELD_MANAGER = "hourglass-cli"


@asynccontextmanager
async def performer_control(
    kube: KubeClient, namespace: str, timeout_seconds: float
) -> AsyncIterator[Any]:
    """Run PerformerControl for ``namespace``, "" for all, once what it needs is listed."""
    try:
        async with _running(kube, namespace, timeout_seconds) as client:
            yield client
    except BaseExceptionGroup as group:  # the caches' group wraps what the caller raised
        raise unwrapped(group) from None


@asynccontextmanager
async def _running(
    kube: KubeClient, namespace: str, timeout_seconds: float
) -> AsyncIterator[PerformerControlClient]:
    caches = await _caches(kube, namespace)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(cache.run()) for cache in caches.all()]
        try:
            for cache in caches.all():
                await cache.wait_synced(timeout_seconds)
            control = make_control(kube, caches, manager=FIELD_MANAGER, stamps=False)
            channel: Any = InProcessChannel(PerformerControlServicer(control))
            yield PerformerControlClient(channel, timeout_seconds=timeout_seconds)
        finally:
            for task in running:
                task.cancel()


_OWNED = "app=hourglass-performer"


async def _caches(kube: KubeClient, namespace: str) -> Caches:
    """Return what PerformerControl reads; of what may not be listed, nothing is shown."""

    async def follow(resource: Resource, selector: str = "") -> Cache:
        try:
            await kube.list(resource, namespace or None, limit=1)
        except KubeError as error:
            if resource is PERFORMERS or error.code is not Code.PERMISSION_DENIED:
                raise _without_performers(kube, error) from error
            return Nothing(resource)
        return Reflector(
            kube, resource, namespace or None, label_selector=selector, clock=SystemClock()
        )

    performers = await follow(PERFORMERS)
    replica_sets, pods, slices, leases = await asyncio.gather(
        follow(REPLICA_SETS, _OWNED),
        follow(PODS, _OWNED),
        follow(ENDPOINT_SLICES),
        follow(LEASES, f"{DRAIN_LABEL}=true"),
    )
    hidden = [c for c in (replica_sets, pods, slices, leases) if isinstance(c, Nothing)]
    if hidden:
        named = ", ".join(cache.resource.plural for cache in hidden)
        text = f"hourglass: what rests on {named} is not shown: they may not be listed"
        print(text, file=sys.stderr)
    return Caches(
        performers=performers,
        replica_sets=replica_sets,
        pods=pods,
        services=Nothing(SERVICES),
        network_policies=Nothing(NETWORK_POLICIES),
        disruption_budgets=Nothing(POD_DISRUPTION_BUDGETS),
        drain_leases=leases,
        endpoint_slices=slices,
    )


def _without_performers(kube: KubeClient, error: KubeError) -> HourglassError:
    if not error.is_not_found:
        return error
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"the cluster at {kube.connection.shown} does not know performers",
        reason="NO_CRD",
        hint="install the definition: kubectl apply --server-side -f deploy/crd",
    )
