"""grpc.health.v1 from the executor's side: Check once, Watch for as long as it lasts."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hourglass_common.domain.health import HealthAnswer

from hourglass_services.rpc.buckets import Buckets, Rate

CHANGES = Rate(per_second=5, burst=20)
"""More changes of health than that are no health: the stream is left, and asked for anew later."""
FLOOD_PAUSE = 5.0


async def check(channel: grpc.aio.Channel, service: str, *, timeout_seconds: float) -> HealthAnswer:
    """Ask once; NONE when there is no answer within ``timeout_seconds``."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        response = await stub.Check(
            health_pb2.HealthCheckRequest(service=service), timeout=timeout_seconds
        )
    except grpc.aio.AioRpcError as end:
        return _without_status(end.code())
    return _answer(response.status)


async def watch(channel: grpc.aio.Channel, service: str) -> AsyncGenerator[HealthAnswer, None]:
    """Yield every status that the server sends.

    The last one yielded is UNIMPLEMENTED, SERVICE_UNKNOWN by error, or NONE for a stream that
    broke; a stream that the server ends well ends with NONE too, and after a pause so does one
    that never comes to rest: what it had sent meanwhile would be old news.
    """
    stub: Any = health_pb2_grpc.HealthStub(channel)
    stream = stub.Watch(health_pb2.HealthCheckRequest(service=service))
    changes, loop = Buckets(CHANGES), asyncio.get_running_loop()
    try:
        async for response in stream:
            yield _answer(response.status)
            if changes.take("", loop.time()):
                stream.cancel()
                await asyncio.sleep(FLOOD_PAUSE)
                break
    except grpc.aio.AioRpcError as end:
        yield _without_status(end.code())
        return
    finally:
        stream.cancel()
    yield HealthAnswer.NONE


def _answer(status: int) -> HealthAnswer:
    match status:
        case health_pb2.HealthCheckResponse.SERVING:
            return HealthAnswer.SERVING
        case health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            return HealthAnswer.SERVICE_UNKNOWN
        case _:  # UNKNOWN and whatever comes later: not a promise to serve
            return HealthAnswer.NOT_SERVING


def _without_status(code: grpc.StatusCode) -> HealthAnswer:
    match code:
        case grpc.StatusCode.UNIMPLEMENTED:
            return HealthAnswer.UNIMPLEMENTED
        case grpc.StatusCode.NOT_FOUND:
            return HealthAnswer.SERVICE_UNKNOWN
        case _:
            return HealthAnswer.NONE
