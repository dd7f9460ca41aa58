"""Probes as the kubelet makes them: gRPC health, a TCP connection, an HTTP GET."""

import asyncio

import aiohttp
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from hourglass_devcluster.model.pod_spec import Check, GrpcCheck, HttpCheck, TcpCheck

HOST = "127.0.0.1"
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
)


async def failure_of(check: Check, port: int, timeout_seconds: float) -> str:
    """Make one probe of the loopback ``port``; return what is wrong, empty if nothing is."""
    try:
        async with asyncio.timeout(timeout_seconds):
            match check:
                case GrpcCheck(service=service):
                    return await _grpc(port, service, timeout_seconds)
                case TcpCheck():
                    return await _tcp(port)
                case HttpCheck():
                    return await _http(port, check)
    except TimeoutError:
        return f"no answer from port {port} within {timeout_seconds:g}s"


async def _grpc(port: int, service: str, timeout_seconds: float) -> str:
    target = f"{HOST}:{port}"
    async with grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(
                health_pb2.HealthCheckRequest(service=service), timeout=timeout_seconds
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return "the server does not implement grpc.health.v1"
            return f"{error.code().name}: {error.details()}"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return f'service "{service}" is {name}'


async def _tcp(port: int) -> str:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError as error:
        return f"dial tcp {HOST}:{port}: {error.strerror or error}"
    writer.close()
    return ""


async def _http(port: int, check: HttpCheck) -> str:
    url = f"http://{HOST}:{port}/{check.path.removeprefix('/')}"
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=dict(check.headers), allow_redirects=False) as response,
        ):
            status = response.status
    except (aiohttp.ClientError, OSError) as error:
        return f"GET {url}: {error or type(error).__name__}"
    return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
