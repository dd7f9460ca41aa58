"""A running PerformerControl in this process, on a real API server, and its client."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.drain_report import DRAIN_LABEL
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.namespaces import Nothing
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
from hourglass_operator.control.server import make_control_server
from hourglass_operator.runtime.gather import Caches
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Aim, Creation
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.server import serving

SPEC = {"avsAddress": "0xAbC", "image": "demo:1", "config": {"grpcPort": 9090}}


@dataclass(frozen=True)
class Pair:
    """A running PerformerControl, its client, and the API behind it."""

    kube: KubeClient
    client: PerformerControlClient
    address: str
    namespace: str

    def creation(self, name: str, **more: Any) -> Creation:
        return Creation(namespace=self.namespace, name=name, spec=more.pop("spec", SPEC), **more)

    def aim(self, name: str, **more: Any) -> Aim:
        return Aim(namespace=self.namespace, name=name, **more)


@asynccontextmanager
async def control(kube: KubeClient, namespace: str) -> AsyncIterator[Pair]:
    """Run one replica of PerformerControl for one namespace."""

    def follow(resource: Resource, label_selector: str = "") -> Reflector:
        return Reflector(
            kube,
            resource,
            namespace,
            label_selector=label_selector,
            clock=SystemClock(),
            rng=random.Random(1),
        )

    caches = Caches(
        performers=follow(PERFORMERS),
        replica_sets=follow(REPLICA_SETS),
        pods=follow(PODS),
        services=Nothing(SERVICES),
        network_policies=Nothing(NETWORK_POLICIES),
        disruption_budgets=Nothing(POD_DISRUPTION_BUDGETS),
        drain_leases=follow(LEASES, f"{DRAIN_LABEL}=true"),
        endpoint_slices=follow(ENDPOINT_SLICES),
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(reflector.run()) for reflector in caches.all()]
        server = make_control_server(kube, caches)
        for reflector in caches.all():
            await reflector.wait_synced(10)
        async with (
            serving(server, "127.0.0.1:0", flag="--control-address", grace_seconds=1) as port,
            open_channel(f"127.0.0.1:{port}") as channel,
        ):
            client = PerformerControlClient(channel, rng=random.Random(1))
            yield Pair(kube, client, f"127.0.0.1:{port}", namespace)
        for task in tasks:
            task.cancel()
