"""Put the operator together: caches, reconciler, PerformerControl, probes."""

import asyncio
import os
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.drain_report import DRAIN_LABEL
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.namespaces import Cache, Reflectors
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
    Manifest,
    Resource,
)
from hourglass_common.runtime.admin import make_app, serve_admin
from hourglass_common.runtime.logs import get_logger
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.rpc.channelz import serving_channelz
from hourglass_services.rpc.server import RpcServer
from prometheus_client import REGISTRY

from .control.server import make_control_server
from .planning.observed import Defaults
from .runtime import metrics, slim
from .runtime.controller import Controller, Identity
from .runtime.gather import Caches
from .runtime.leader import Leader
from .runtime.lease_state import LeaseTimes
from .runtime.performer_metrics import PerformerCollector
from .runtime.probes import Probes
from .settings import OperatorSettings

log = get_logger(__name__)

SYNC_SECONDS = 60.0
STOP_SECONDS = 1.0
_OWNED = "app=hourglass-performer"

Transform = Callable[[Manifest], Manifest]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the operator can be reached; ``metrics`` is "" where it is switched off."""

    control: str
    metrics: str


async def run(
    settings: OperatorSettings, *, on_ready: Callable[[Addresses], None] | None = None
) -> None:
    """Work until cancelled; returns nothing, raises what makes going on impossible."""
    clock, rng = SystemClock(), random.Random()  # noqa: S311  jitter, not a secret
    async with AsyncExitStack() as stack:
        connection = await connect(settings.kubeconfig)
        client = await stack.enter_async_context(
            KubeClient(connection, answered=metrics.count_answer)
        )
        caches = _caches(client, settings, clock, rng)
        leader = Leader(
            client,
            settings.leader_election_namespace or connection.namespace,
            f"{socket.gethostname()}_{os.getpid()}",
            clock,
            LeaseTimes(
                settings.leader_elect_lease_duration,
                settings.leader_elect_renew_deadline,
                settings.leader_elect_retry_period,
            ),
        )
        identity = Identity(
            name=f"hourglass-operator-{socket.gethostname()}",
            may_write=leader.leads if settings.leader_elect else lambda: True,
        )
        controller = Controller(client, caches, clock, rng, identity, qps=settings.kube_api_qps)
        server = make_control_server(client, caches, settings=settings.control, clock=clock)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        probes = Probes(clock)
        probes.ready["PerformerControl"] = lambda: None if server.serves else "not served yet"
        probes.work(lambda: controller.workers, controller.longest_work)
        group.create_task(probes.run())
        for cache in caches.all():
            probes.follow(cache, group.create_task(cache.run()))
        metrics_address = await _serve_probes(stack, settings, probes)
        _collect(stack, caches.performers)
        await _sync(caches.all(), clock)
        control_address = await _serve_control(server, settings)
        await stack.enter_async_context(serving_channelz(settings.control.channelz_address))
        addresses = Addresses(control_address, metrics_address)
        log.info("operator ready", control=addresses.control, metrics=addresses.metrics)
        if on_ready is not None:
            on_ready(addresses)
        try:
            if settings.leader_elect:
                await leader.acquire()
                group.create_task(leader.hold(controller.look_at_all))
            await controller.run(settings.workers)
        finally:
            if settings.leader_elect:
                await asyncio.shield(leader.release())
            await asyncio.shield(server.stop(STOP_SECONDS))


def _caches(
    client: KubeClient, settings: OperatorSettings, clock: Clock, rng: random.Random
) -> Caches:
    """Return the caches that are planned from, and that PerformerControl shows."""

    def follow(resource: Resource, transform: Transform, selector: str = "") -> Cache:
        def one(namespace: str | None) -> Reflector:
            return Reflector(
                client,
                resource,
                namespace,
                label_selector=selector,
                transform=transform,
                clock=clock,
                rng=rng,
                idle_seconds=settings.watch_idle_seconds,
            )

        match settings.watch_namespaces:
            case ():
                return one(None)
            case (namespace,):
                return one(namespace)
            case several:
                return Reflectors([one(namespace) for namespace in several])

    return Caches(
        performers=follow(PERFORMERS, slim.performer),
        replica_sets=follow(REPLICA_SETS, slim.replica_set, _OWNED),
        pods=follow(PODS, slim.pod, _OWNED),
        services=follow(SERVICES, slim.service),
        network_policies=follow(NETWORK_POLICIES, slim.neighbour, _OWNED),
        disruption_budgets=follow(POD_DISRUPTION_BUDGETS, slim.neighbour, _OWNED),
        drain_leases=follow(LEASES, slim.drain_lease, f"{DRAIN_LABEL}=true"),
        endpoint_slices=follow(ENDPOINT_SLICES, slim.endpoint_slice),
        defaults=Defaults(settings.default_security_profile),
    )


async def _serve_probes(stack: AsyncExitStack, settings: OperatorSettings, probes: Probes) -> str:
    """Serve probes and metrics until ``stack`` is closed; returns the metrics' address."""
    flags = {"--metrics-bind-address": settings.metrics_bind_address}
    if settings.health_probe_bind_address != settings.metrics_bind_address:
        flags["--health-probe-bind-address"] = settings.health_probe_bind_address
    bound: list[str] = []
    for flag, address in flags.items():
        app = make_app(ready=probes.ready, live=probes.live)
        bound.append(await stack.enter_async_context(serve_admin(app, address, flag=flag)))
    return bound[0]


def _collect(stack: AsyncExitStack, performers: Cache) -> None:
    """Show the performers' metrics until ``stack`` is closed."""
    collector = PerformerCollector(performers)
    REGISTRY.register(collector)
    stack.callback(REGISTRY.unregister, collector)


async def _sync(reflectors: Sequence[Cache], clock: Clock) -> None:
    """Return once all are listed; UNAVAILABLE names the kind that was not in time."""
    deadline = clock.monotonic() + SYNC_SECONDS
    for follower in reflectors:
        await follower.wait_synced(max(0.0, deadline - clock.monotonic()))


async def _serve_control(server: RpcServer, settings: OperatorSettings) -> str:
    control = settings.control
    port = await server.start(
        control.address,
        flag="--control-bind-address",
        insecure=control.insecure,
        tls=control.tls_files,
    )
    return f"{control.address.rpartition(':')[0] or '127.0.0.1'}:{port}"
