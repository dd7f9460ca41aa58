"""ExecutorInspection over gRPC: translate and call the port."""

from typing import Any

from eigenlayer.hourglass.executor.v1 import inspection_pb2

from hourglass_services.executor.port import AuthSignature
from hourglass_services.rpc.validation import validate

from .codec import endpoints_to_proto
from .port import InspectionPort

INSPECTION_SERVICE = inspection_pb2.DESCRIPTOR.services_by_name["ExecutorInspection"]


class InspectionServicer:
    """Methods are named as in the .proto."""

    def __init__(self, port: InspectionPort) -> None:
        self._port = port

    async def ListEndpoints(
        self, request: inspection_pb2.ListEndpointsRequest, _: Any
    ) -> inspection_pb2.ListEndpointsResponse:
        validate(request)
        auth = request.auth if request.HasField("auth") else None
        signature = auth and AuthSignature(
            challenge_token=auth.challenge_token, signature=auth.signature
        )
        return endpoints_to_proto(self._port.list_endpoints(request.avs_address, signature))
