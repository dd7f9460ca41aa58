"""grpc.health.v1 with Check, Watch and List, for the server and for each of its services."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthService:
    """Serves the statuses that ``set`` gave; "" is the server as a whole. All start NOT_SERVING."""

    def __init__(self, services: Iterable[str]) -> None:
        self._statuses: dict[str, Any] = dict.fromkeys(("", *services), NOT_SERVING)
        self._changed = asyncio.Event()

    def set(self, serving: bool, service: str | None = None) -> None:
        """Change one service, or all of them; watchers are told."""
        names = self._statuses if service is None else (service,)
        for name in tuple(names):
            self._statuses[name] = SERVING if serving else NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(self, request: Any, context: Context) -> Any:
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} on this server"
            )
        return health_pb2.HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Context) -> Any:
        statuses = {
            name: health_pb2.HealthCheckResponse(status=status)
            for name, status in self._statuses.items()
        }
        return health_pb2.HealthListResponse(  # pyright: ignore[reportAttributeAccessIssue]
            statuses=statuses
        )

    async def Watch(self, request: Any, context: Context) -> AsyncIterator[Any]:
        last: Any = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, SERVICE_UNKNOWN)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            await changed.wait()

    def register(self, server: grpc.aio.Server) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self, server)
