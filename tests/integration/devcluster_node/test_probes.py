"""The node's probes against real servers, and what a pod's probes make of its readiness."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from hourglass_common.kube.objects import is_pod_ready
from hourglass_common.kube.resources import PODS
from hourglass_devcluster.model.pod_spec import GrpcCheck
from hourglass_devcluster.node_agent.probes import failure_of

from tests.support.dev_cluster import DevCluster, client_in
from tests.support.dev_pods import (
    demo_container,
    gone,
    log_until,
    pod,
    pod_until,
    python_container,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Frozen(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Takes a call and never answers."""

    async def Check(self, request: object, context: object) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def serving(servicer: health_pb2_grpc.HealthServicer | None) -> AsyncIterator[int]:
    server = grpc.aio.server()
    if servicer is not None:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("", ""),
        ("up", ""),
        ("down", 'service "down" is NOT_SERVING'),
        ("other", "NOT_FOUND"),
    ],
)
async def test_a_grpc_probe_asks_for_the_service_that_it_names(service: str, said: str) -> None:
    servicer = health.aio.HealthServicer()
    for name, status in (("", SERVING), ("up", SERVING), ("down", NOT_SERVING)):
        await servicer.set(name, status)
    async with serving(servicer) as port:
        failure = await failure_of(GrpcCheck(port, service), port, 5.0)
    assert (said in failure) if said else not failure


async def test_a_server_without_health_fails_its_probe_and_says_so() -> None:
    async with serving(None) as port:
        failure = await failure_of(GrpcCheck(port, ""), port, 5.0)
    assert failure == "the server does not implement grpc.health.v1"


@pytest.mark.parametrize("timeout", [0.2, 1.0])
async def test_a_probe_waits_for_its_timeout_and_no_longer(timeout: float) -> None:
    async with serving(Frozen()) as port:
        begun = time.monotonic()
        failure = await failure_of(GrpcCheck(port, ""), port, timeout)
        took = time.monotonic() - begun
    assert failure
    assert timeout <= took + 0.05
    assert took < timeout + 2.0


async def test_a_pod_is_ready_as_soon_as_it_has_started_whatever_its_readiness_period(
    dev_cluster: DevCluster, namespace: str
) -> None:
    slow = {"grpc": {"port": 9090}, "periodSeconds": 600}
    async with client_in(dev_cluster, namespace) as client:
        await client.create(PODS, namespace, pod("calm", demo_container(readinessProbe=slow)))
        await pod_until(client, namespace, "calm", is_pod_ready)
        await client.delete(PODS, namespace, "calm")
        await gone(client, namespace, "calm", 10)


async def test_a_process_is_told_after_the_pre_stop_sleep(
    dev_cluster: DevCluster, namespace: str
) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(600)"
    )
    hook = {"preStop": {"sleep": {"seconds": 2}}}
    body = pod("sleeper", python_container(code, lifecycle=hook), terminationGracePeriodSeconds=60)
    async with client_in(dev_cluster, namespace) as client:
        await client.create(PODS, namespace, body)
        await log_until(client, namespace, "sleeper", lambda log: log == b"up\n")
        begun = time.monotonic()
        await client.delete(PODS, namespace, "sleeper")
        await gone(client, namespace, "sleeper", 20)
        took = time.monotonic() - begun
    assert 2.0 <= took < 20.0
