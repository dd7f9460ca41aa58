"""Performers for tests: real gRPC servers on loopback that keep a ledger of what they ran."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import grpc.aio
from eigenlayer.hourglass.v1.performer import performer_pb2, performer_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health
from hourglass_common.domain.endpoint import Endpoint, Role

Context: TypeAlias = grpc.aio.ServicerContext[performer_pb2.TaskRequest, performer_pb2.TaskResponse]
Handler = Callable[[performer_pb2.TaskRequest, Context], Awaitable[performer_pb2.TaskResponse]]

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def echo(request: performer_pb2.TaskRequest, context: Context) -> performer_pb2.TaskResponse:
    return performer_pb2.TaskResponse(task_id=request.task_id, result=request.payload)


async def never(request: performer_pb2.TaskRequest, context: Context) -> performer_pb2.TaskResponse:
    await asyncio.Event().wait()
    raise AssertionError


def aborts(code: grpc.StatusCode, **trailers: str) -> Handler:
    """Return a handler that ends every task with ``code``; underscores in names are dashes."""

    async def handler(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        metadata = tuple((key.replace("_", "-"), value) for key, value in trailers.items())
        await context.abort(code, "as told", metadata)
        raise AssertionError

    return handler


class HealthWithoutWatch(grpc_health.HealthServicer):  # type: ignore[misc]
    async def Watch(self, request: object, context: Context) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no Watch here")


class HealthThatFreezes(grpc_health.HealthServicer):  # type: ignore[misc]
    """Watch works; Check is not answered while ``frozen``."""

    frozen = False

    async def Check(self, request: object, context: Context) -> object:
        while self.frozen:
            await asyncio.sleep(3600)
        return await super().Check(request, context)


@dataclass
class Performer(performer_pb2_grpc.PerformerServiceServicer):
    """One instance; ``ledger`` has the id of every task whose execution began, in order."""

    name: str = "a"
    handler: Handler = echo
    health: grpc_health.HealthServicer | None = field(default_factory=grpc_health.HealthServicer)
    ledger: list[str] = field(default_factory=list[str])
    cancelled: list[str] = field(default_factory=list[str])
    time_remaining: float | None = None
    port: int = 0
    host: str = "127.0.0.1"
    began: asyncio.Event = field(default_factory=asyncio.Event)

    async def ExecuteTask(
        self, request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        self.ledger.append(request.task_id.decode())
        self.time_remaining = context.time_remaining()
        self.began.set()
        try:
            return await self.handler(request, context)
        except asyncio.CancelledError:
            self.cancelled.append(request.task_id.decode())
            raise

    async def StartSync(
        self, request: performer_pb2.StartSyncRequest, context: object
    ) -> performer_pb2.StartSyncResponse:
        return performer_pb2.StartSyncResponse()

    async def start(self) -> None:
        """Listen, on the port of the time before if there was one."""
        self.server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        performer_pb2_grpc.add_PerformerServiceServicer_to_server(self, self.server)
        if self.health is not None:
            health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.port = self.server.add_insecure_port(f"{self.host}:{self.port}")
        await self.server.start()

    async def crash(self) -> None:
        """Break every connection and call."""
        await self.server.stop(None)

    async def report(self, status: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
        assert self.health is not None
        await self.health.set("", status)

    def endpoint(self, *, port: int | None = None, role: Role = Role.IN_SERVICE) -> Endpoint:
        return Endpoint(
            performer_id="performer",
            revision="r1",
            instance=self.name,
            address=f"{self.host}:{port or self.port}",
            role=role,
        )


@asynccontextmanager
async def running(*performers: Performer) -> AsyncIterator[None]:
    """Start ``performers``, and stop them whatever happens."""
    for performer in performers:
        await performer.start()
    try:
        yield
    finally:
        for performer in performers:
            await performer.crash()
