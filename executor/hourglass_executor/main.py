"""The executor: storage, dispatcher, deployers, then gRPC; and the same backwards at the end."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import uuid4

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.admin import make_app, serve_admin
from hourglass_common.runtime.logs import get_logger
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.executor.servicer import (
    EXECUTOR_SERVICE,
    MANAGEMENT_SERVICE,
    ExecutorServicer,
    ManagementServicer,
)
from hourglass_services.inspection.servicer import INSPECTION_SERVICE, InspectionServicer
from hourglass_services.rpc.channelz import serving_channelz
from hourglass_services.rpc.server import RpcServer
from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from .api.challenge import Challenges
from .api.deployments import Deployments, Times
from .api.guard import ChallengeGuard
from .api.inspection import Inspection, TapLimits
from .api.results import Identity
from .api.tasks import AvsPolicy, TaskService
from .cluster import enter_kubernetes
from .deployers.choose import configured, options_for, place_for
from .deployers.deployment import Mode
from .deployers.docker.deployer import DockerDeployer
from .deployers.docker.options import docker_options
from .deployers.port import Deployer
from .deployers.process import ProcessDeployer
from .dispatch.dispatcher import Dispatcher
from .dispatch.policy import DispatchPolicy
from .routing.decisions import DecisionLog
from .settings import ExecutorSettings
from .signing.ecdsa import AcceptAll, Aggregator, AggregatorTable
from .signing.keys import open_signer
from .signing.port import Signer, Verifier
from .storage.memory import MemoryStore
from .storage.metrics import StoreMetrics
from .storage.port import Store
from .storage.sqlite.store import SqliteStore
from .storage.sweeper import Sweeper

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running executor listens; ``admin`` is "" where it is switched off."""

    grpc: str
    management: str
    admin: str


Ready = Callable[[Addresses], Awaitable[None] | None]


async def run(
    settings: ExecutorSettings,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Ready | None = None,
    registry: CollectorRegistry | None = None,
) -> None:
    """Serve until cancelled, or until ``stop`` is set; ``on_ready`` is called when gRPC is served.

    Performers come up meanwhile. Raises HourglassError for a configuration that can not be
    served: a data directory in use, a taken port.
    """
    try:
        await _run(settings, stop or asyncio.Event(), on_ready, registry or REGISTRY)
    except BaseExceptionGroup as group:
        # Each background wraps what passes through it: callers want the cause.
        cause = _only(group)
        if isinstance(cause, HourglassError):
            raise cause from None
        raise


async def _run(
    settings: ExecutorSettings,
    stop: asyncio.Event,
    on_ready: Ready | None,
    registry: CollectorRegistry,
) -> None:
    clock, rng = SystemClock(), Random()  # noqa: S311  jitter, not secrets
    async with AsyncExitStack() as stack:
        store = await _open_store(settings, registry)
        stack.push_async_callback(store.close)  # first in, last out
        dispatcher = await stack.enter_async_context(
            Dispatcher(
                clock=clock,
                rng=rng,
                policy=settings.routing.policy(),
                policies=_routing(settings),
                registry=registry,
                decisions=DecisionLog(settings.inspection.decisions),
            )
        )
        group = await stack.enter_async_context(_Background())
        signer = await stack.enter_async_context(
            open_signer(settings.operator, os.environ, clock, rng)
        )
        executor = _Executor(settings, store, dispatcher, group.tasks, clock, signer)
        deployers = await _enter_deployers(
            settings, executor.deployments, stack, clock, rng, dispatcher, registry
        )
        executor.deployments.use(deployers)
        for mode, deployer in deployers.items():  # after a start that failed half-way too
            if settings.stops_on_exit(mode.value):
                stack.push_async_callback(deployer.stop_all)
        stack.callback(executor.deployments.stop)
        await executor.tasks.recover()
        sweeper = Sweeper(store, settings.retention.policy, clock, registry)
        group.tasks.create_task(sweeper.run(), name="retention")
        await executor.deployments.start(configured(settings, _new_id))
        await _serve(settings, executor, stop, on_ready)


def _only(error: BaseException) -> BaseException | None:
    """Return the one exception that a tree of groups holds, None if there are more."""
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return None
        error = error.exceptions[0]
    return error


class _Ended(Exception):
    """The block that a background served has ended."""


class _Background:
    """A TaskGroup whose tasks are cancelled when its block ends."""

    async def __aenter__(self) -> "_Background":
        self.tasks = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.tasks.__aexit__(_Ended, _Ended(), None)
        except* _Ended:
            pass  # a failure of one of the tasks goes on


class _Executor:
    """The services, put together."""

    def __init__(
        self,
        settings: ExecutorSettings,
        store: Store,
        dispatcher: Dispatcher,
        group: asyncio.TaskGroup,
        clock: Clock,
        signer: Signer,
    ) -> None:
        verification = settings.verification
        assert verification is not None
        certificate = verification.certificate_verifier
        challenges = Challenges(
            operator_address=settings.operator.address,
            signer=signer.address if settings.authentication.enabled else "",
            new_token=lambda: secrets.token_hex(32),
            clock=clock,
        )
        self.signer = signer.address
        self.guard = ChallengeGuard(challenges, settings.operator.address, clock)
        self.deployments = Deployments(
            store=store,
            dispatcher=dispatcher,
            challenges=challenges,
            place_for=lambda avs, registry, mode: place_for(avs, registry, mode, settings),
            options_for=lambda avs: options_for(avs, settings),
            new_id=_new_id,
            times=_times(settings),
            clock=clock,
            group=group,
        )
        self.tasks = TaskService(
            identity=Identity(
                address=settings.operator.address,
                signer=signer,
                certificate_verifier=certificate.address if certificate else "",
                certificate_version=certificate.version if certificate else "1",
            ),
            verifier=_verifier(settings),
            store=store,
            dispatcher=dispatcher,
            is_served=self.deployments.is_served,
            policies=_policies(settings),
            clock=clock,
            group=group,
        )
        self.inspection = Inspection(
            dispatcher=dispatcher,
            challenges=challenges,
            operator_address=settings.operator.address,
            store=store,
            tasks=self.tasks,
            clock=clock,
            limits=TapLimits(
                watchers=settings.inspection.taps, buffer=settings.inspection.tap_buffer
            ),
        )


async def _serve(
    settings: ExecutorSettings,
    executor: _Executor,
    stop: asyncio.Event,
    on_ready: Ready | None,
) -> None:
    tasks = (EXECUTOR_SERVICE, ExecutorServicer(executor.tasks))
    management = (
        (MANAGEMENT_SERVICE, ManagementServicer(executor.deployments)),
        (INSPECTION_SERVICE, InspectionServicer(executor.inspection)),
    )
    ports = (settings.grpc_port, settings.management_server_grpc_port)
    apart = ports[1] not in (0, ports[0])
    guard = executor.guard
    servers = [RpcServer([tasks] if apart else [tasks, *management], guard=guard)]
    if apart:
        servers.append(RpcServer(management, guard=guard))
    serving = False

    def ready() -> str | None:
        return None if serving else "gRPC is not served"

    admin_app = make_app(ready={"grpc": ready})
    async with (
        serve_admin(admin_app, settings.metrics.address, flag="metrics.address") as admin,
        serving_channelz(settings.channelz_address, flag="channelzAddress"),
    ):
        try:
            for server, port, name in zip(
                servers, ports, ("grpcPort", "managementServerGrpcPort"), strict=False
            ):
                await server.start(
                    f"{settings.grpc_host}:{port}",
                    flag=name,
                    insecure=settings.insecure,
                    tls=settings.tls.files,
                )
            serving = True
            guard.warn_if_open(has_client_ca=settings.tls.client_ca_file is not None)
            addresses = Addresses(
                grpc=f"{settings.grpc_host}:{servers[0].port}",
                management=f"{settings.grpc_host}:{servers[-1].port}",
                admin=admin,
            )
            log.info(
                "executor serving",
                grpc=addresses.grpc,
                management=addresses.management,
                admin=admin,
                tls=settings.tls.files is not None,
                signer=executor.signer,
                verification=settings.verification.mode if settings.verification else "",
            )
            if on_ready is not None and (told := on_ready(addresses)) is not None:
                await told
            await stop.wait()
        finally:
            serving = False
            await _stop(settings, executor, servers)


async def _stop(
    settings: ExecutorSettings,
    executor: _Executor,
    servers: list[RpcServer],
) -> None:
    """Say NOT_SERVING and let what runs finish within the grace."""
    executor.deployments.stop()
    grace = settings.stop_grace
    async with asyncio.TaskGroup() as stopping:
        for server in servers:
            stopping.create_task(server.stop(grace))
        left = stopping.create_task(executor.tasks.stop(grace))
    if left.result():
        log.warning("tasks left behind by the stop", tasks=left.result())


async def _open_store(settings: ExecutorSettings, registry: CollectorRegistry) -> Store:
    if settings.storage.keeps_nothing:
        log.warning("nothing is kept: a restart forgets tasks and deployments", storage="memory")
        return MemoryStore()
    if settings.storage.type == "badger":
        log.info("badger is kept as SQLite", directory=str(settings.store_directory))
    return await SqliteStore.open(settings.store_directory, StoreMetrics(registry).committed)


async def _enter_deployers(
    settings: ExecutorSettings,
    listener: Deployments,
    stack: AsyncExitStack,
    clock: Clock,
    rng: Random,
    holder: Dispatcher,
    registry: CollectorRegistry,
) -> dict[Mode, Deployer]:
    found: dict[Mode, Deployer] = {}
    if settings.processes.allow:
        found[Mode.PROCESS] = await stack.enter_async_context(
            ProcessDeployer(
                listener,
                commands=settings.processes.commands,
                log_directory=Path(settings.data_dir) / "logs",
                clock=clock,
                rng=rng,
                stop_grace=settings.processes.stop_grace,
            )
        )
    if settings.uses_docker:
        found[Mode.DOCKER] = await stack.enter_async_context(
            DockerDeployer(listener, docker_options(settings, os.environ), clock=clock, rng=rng)
        )
    if settings.kubernetes is not None:
        found[Mode.KUBERNETES] = await enter_kubernetes(
            settings, listener, holder, stack, clock=clock, rng=rng, registry=registry
        )
    return found


def _verifier(settings: ExecutorSettings) -> Verifier:
    verification = settings.verification
    assert verification is not None
    UNVERIFIED.set(verification.mode == "none")
    if verification.mode == "none":
        return AcceptAll()
    return AggregatorTable(
        tuple(
            Aggregator(
                address=one.address,
                signer=one.signer or one.address,
                avs=one.avs_address,
                operator_sets=frozenset(one.operator_sets),
            )
            for one in verification.aggregators
        ),
        settings.operator.address,
    )


UNVERIFIED = Gauge(
    "hourglass_executor_tasks_unverified", "1 while task signatures are not verified."
)


def _policies(settings: ExecutorSettings) -> dict[str, AvsPolicy]:
    return {
        one.avs_address: AvsPolicy(
            task_timeout=one.task_timeout,
            idempotent=one.idempotent,
            cancel_on_disconnect=one.cancel_on_disconnect,
            queue_when_none_ready=one.when_none_ready == "Queue",
        )
        for one in settings.avs_performers
    }


def _routing(settings: ExecutorSettings) -> dict[str, DispatchPolicy]:
    return {
        one.avs_address: settings.routing_of(one).policy()
        for one in settings.avs_performers
        if one.routing is not None
    }


def _times(settings: ExecutorSettings) -> Times:
    in_cluster = settings.kubernetes.deploy_timeout if settings.kubernetes else 300.0
    return Times(
        deploy={
            Mode.KUBERNETES: in_cluster,
            Mode.PROCESS: settings.processes.deploy_timeout,
            Mode.DOCKER: settings.docker.deploy_timeout if settings.docker else 300.0,
        },
        drain=settings.drain_timeout,
    )


def _new_id(avs: str) -> str:
    return f"performer-{avs}-{uuid4()}"


__all__ = ["Addresses", "run"]
