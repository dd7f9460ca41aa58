"""Performers that answer with what they should not, each a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from eigenlayer.hourglass.v1.performer import performer_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health
from hourglass_common.domain.endpoint import Endpoint, Role

_SERVICE = "eigenlayer.hourglass.v1.performer.PerformerService"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Raw = Callable[[bytes, Any], Awaitable[bytes]]


class FlappingHealth(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Changes its mind every ``pause`` seconds, for ever."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self.told = 0

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        while True:
            for status in (_SERVING, _NOT_SERVING):
                self.told += 1
                yield health_pb2.HealthCheckResponse(status=status)
                await asyncio.sleep(self._pause)

    async def Check(self, request: Any, context: Any) -> Any:
        return health_pb2.HealthCheckResponse(status=_SERVING)


@dataclass
class Hostile:
    """Answers ExecuteTask with bytes; None is a performer without that method."""

    answer: Raw | None
    health: Any = None
    compression: grpc.Compression | None = None
    calls: int = 0
    port: int = 0

    async def _execute(self, request: bytes, context: Any) -> bytes:
        self.calls += 1
        assert self.answer is not None
        return await self.answer(request, context)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        server = grpc.aio.server(
            options=(("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1)),
            compression=self.compression,
        )
        if self.answer is not None:
            handler: Any = grpc.unary_unary_rpc_method_handler(self._execute)
            generic = grpc.method_handlers_generic_handler(_SERVICE, {"ExecuteTask": handler})
            server.add_generic_rpc_handlers((generic,))
        health = self.health or grpc_health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield port
        finally:
            await server.stop(None)


@dataclass
class RawTcp:
    """Accepts connections and says ``greeting``, whatever comes; None is nothing at all."""

    greeting: bytes | None
    calls: int = 0
    port: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        writers: list[asyncio.StreamWriter] = []

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            with suppress(OSError):
                if self.greeting is not None:
                    writer.write(self.greeting)
                    await writer.drain()
                await reader.read(1 << 16)
                if self.greeting is not None:
                    writer.transport.abort()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
            await asyncio.sleep(0.01)


def gives(data: bytes) -> Raw:
    async def answer(request: bytes, context: Any) -> bytes:
        return data

    return answer


def result(size: int) -> Raw:
    """Return the right answer, of ``size`` bytes."""

    async def answer(request: bytes, context: Any) -> bytes:
        identity = performer_pb2.TaskRequest.FromString(request).task_id
        found = performer_pb2.TaskResponse(task_id=identity, result=bytes(size))
        return found.SerializeToString()

    return answer


def ends(code: grpc.StatusCode, text: str, *trailers: tuple[str, str]) -> Raw:
    async def answer(request: bytes, context: Any) -> bytes:
        await context.abort(code, text, trailers)
        raise AssertionError

    return answer


async def hangs(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(3600)
    return b""


async def headers_and_no_more(request: bytes, context: Any) -> bytes:
    await context.send_initial_metadata((("x-soon", "very"),))
    return await hangs(request, context)


@asynccontextmanager
async def all_serving(
    performers: dict[str, Hostile | RawTcp],
) -> AsyncIterator[dict[str, Endpoint]]:
    """Run them by name; gives the endpoint of each."""
    async with AsyncExitStack() as stack:
        found: dict[str, Endpoint] = {}
        for name, performer in performers.items():
            port = await stack.enter_async_context(performer.serving())
            found[name] = Endpoint(
                performer_id=name,
                revision="r1",
                instance=name,
                address=f"127.0.0.1:{port}",
                role=Role.IN_SERVICE,
            )
        yield found
