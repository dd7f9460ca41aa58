"""A client of ExecutorInspection, over a channel of ``rpc.channel.open_channel``."""

from typing import Any

import grpc
import grpc.aio
from eigenlayer.hourglass.executor.v1 import inspection_pb2, inspection_pb2_grpc

from hourglass_services.executor.codec import auth_to_proto
from hourglass_services.executor.port import AuthSignature
from hourglass_services.rpc.status import from_rpc_error

from .codec import endpoints_from_proto
from .port import Endpoints


class InspectionClient:
    """Errors come as ``HourglassError``, with the executor's own details."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = inspection_pb2_grpc.ExecutorInspectionStub(channel)

    async def list_endpoints(
        self,
        avs_address: str = "",
        *,
        auth: AuthSignature | None = None,
        timeout_seconds: float = 5.0,
    ) -> Endpoints:
        request = inspection_pb2.ListEndpointsRequest(
            avs_address=avs_address, auth=auth_to_proto(auth)
        )
        try:
            return endpoints_from_proto(
                await self._stub.ListEndpoints(request, timeout=timeout_seconds)
            )
        except grpc.aio.AioRpcError as exc:
            raise from_rpc_error(exc) from exc
