"""Server reflection, under v1alpha and under v1.

grpcio-reflection ships v1alpha only. The messages of v1 are the same on the wire, so the one
servicer answers under both names.
"""

from collections.abc import Iterable

import grpc
import grpc.aio
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

_V1 = "grpc.reflection.v1.ServerReflection"
_V1_ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def register_reflection(server: grpc.aio.Server, services: Iterable[str]) -> None:
    """Let clients such as grpcurl list and call ``services`` without .proto files."""
    servicer = ReflectionServicer((*services, _V1_ALPHA))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (_V1, _V1_ALPHA):
        generic = grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
        server.add_generic_rpc_handlers((generic,))
