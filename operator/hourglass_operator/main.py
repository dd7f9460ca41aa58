"""Put the operator together: caches, reconciler, PerformerControl, probes."""

import asyncio
import os
import random
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    PERFORMERS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from hourglass_common.runtime.admin import make_app, serve_admin
from hourglass_common.runtime.logs import get_logger
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.control.servicer import PERFORMER_CONTROL, PerformerControlServicer
from hourglass_services.rpc.server import RpcServer

from .control.service import Caches as ControlCaches
from .control.service import PerformerControl
from .runtime import metrics
from .runtime.controller import Controller, Identity
from .runtime.gather import Caches
from .runtime.leader import Leader
from .settings import OperatorSettings

log = get_logger(__name__)

SYNC_SECONDS = 60.0
STALE_SECONDS = 180.0
STOP_SECONDS = 1.0
_OWNED = "app=hourglass-performer"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the operator can be reached; ``metrics`` is "" where it is switched off."""

    control: str
    metrics: str


async def run(
    settings: OperatorSettings, *, on_ready: Callable[[Addresses], None] | None = None
) -> None:
    """Work until cancelled; returns nothing, raises what makes going on impossible."""
    if len(settings.watch_namespaces) > 1:
        raise HourglassError(
            Code.INVALID_ARGUMENT,
            "watch_namespaces: more than one namespace can not be watched yet",
            hint="name one, or none for all namespaces",
        )
    clock, rng = SystemClock(), random.Random()  # noqa: S311  jitter, not a secret
    async with AsyncExitStack() as stack:
        connection = await connect(settings.kubeconfig)
        client = await stack.enter_async_context(KubeClient(connection))
        namespace = settings.watch_namespaces[0] if settings.watch_namespaces else None

        def reflector(resource: Resource, selector: str = "") -> Reflector:
            return Reflector(
                client, resource, namespace, label_selector=selector, clock=clock, rng=rng
            )

        performers, pods = reflector(PERFORMERS), reflector(PODS, _OWNED)
        slices = reflector(ENDPOINT_SLICES)
        caches = Caches(performers, reflector(REPLICA_SETS, _OWNED), pods, reflector(SERVICES))
        reflectors = (performers, caches.replica_sets, pods, caches.services, slices)
        leader = Leader(
            client,
            settings.leader_election_namespace or connection.namespace,
            f"{socket.gethostname()}_{os.getpid()}",
            clock,
        )
        identity = Identity(
            name=f"hourglass-operator-{socket.gethostname()}",
            may_write=leader.leads if settings.leader_elect else lambda: True,
        )
        controller = Controller(client, caches, clock, rng, identity)
        control = PerformerControl(client, ControlCaches(performers, slices, pods))
        server = RpcServer([(PERFORMER_CONTROL, PerformerControlServicer(control))])
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for follower in reflectors:
            group.create_task(follower.run())
        checks = {f.resource.plural: _freshness(f, clock) for f in reflectors}
        admin = await stack.enter_async_context(
            serve_admin(
                make_app(ready=checks),
                settings.metrics_bind_address,
                flag="--metrics-bind-address",
            )
        )
        if settings.health_probe_bind_address != settings.metrics_bind_address:
            await stack.enter_async_context(
                serve_admin(
                    make_app(ready=checks),
                    settings.health_probe_bind_address,
                    flag="--health-probe-bind-address",
                )
            )
        deadline = clock.monotonic() + SYNC_SECONDS
        for follower in reflectors:
            await follower.wait_synced(max(0.0, deadline - clock.monotonic()))
        port = await server.start(
            settings.control.address,
            flag="--control-address",
            insecure=settings.control.insecure,
        )
        host = settings.control.address.rpartition(":")[0]
        addresses = Addresses(f"{host or '127.0.0.1'}:{port}", admin)
        log.info("operator ready", control=addresses.control, metrics=addresses.metrics)
        if on_ready is not None:
            on_ready(addresses)
        try:
            if settings.leader_elect:
                await leader.acquire()
                group.create_task(leader.hold())
            await controller.run(settings.workers)
        finally:
            await asyncio.shield(server.stop(STOP_SECONDS))
            if settings.leader_elect:
                await asyncio.shield(leader.release())


def _freshness(follower: Reflector, clock: SystemClock) -> Callable[[], str | None]:
    def check() -> str | None:
        if not follower.synced.is_set():
            return "not listed yet"
        age = follower.age(clock.monotonic())
        metrics.WATCH_AGE.labels(follower.resource.plural).set(age)
        return f"no news for {age:.0f} s" if age > STALE_SECONDS else None

    return check
