"""Server reflection, under v1alpha and under v1.

grpcio-reflection ships v1alpha only. The messages of v1 are the same on the wire, so the one
servicer answers under both names. Its descriptors lack the JSON names of fields (protoc drops
them from Python code), and grpcurl would then show ``avs_address`` for what every other client
calls ``avsAddress``: they are put back.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import cache
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

_V1 = "grpc.reflection.v1.ServerReflection"
_V1_ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def register_reflection(
    server: grpc.aio.Server,
    services: Iterable[str],
    admit: Callable[[Any], Awaitable[None]] | None = None,
) -> None:
    """Let clients such as grpcurl list and call ``services`` without .proto files.

    ``admit`` is asked first, with the call's context; it ends those that are not to be answered.
    """
    servicer: Any = ReflectionServicer((*services, _V1_ALPHA))

    async def info(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        if admit is not None:
            await admit(context)
        async for answer in servicer.ServerReflectionInfo(_findable(requests), context):
            if answer.HasField("file_descriptor_response"):
                files = answer.file_descriptor_response.file_descriptor_proto
                files[:] = [_with_json_names(file) for file in files]
            yield answer

    handler: Any = grpc.stream_stream_rpc_method_handler(
        info,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in (_V1, _V1_ALPHA):
        generic = grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
        server.add_generic_rpc_handlers((generic,))


async def _findable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yield the requests, those for a method as ones for its service: the pool knows no methods."""
    async for request in requests:
        symbol = request.file_containing_symbol
        if symbol and not _is_known(symbol) and _is_known(symbol.rpartition(".")[0]):
            request.file_containing_symbol = symbol.rpartition(".")[0]
        yield request


def _is_known(symbol: str) -> bool:
    try:
        descriptor_pool.Default().FindFileContainingSymbol(symbol)
    except KeyError:
        return False
    return True


@cache
def _with_json_names(serialized: bytes) -> bytes:
    """Return the file descriptor with the JSON name of every field."""
    file = FileDescriptorProto.FromString(serialized)
    for message in file.message_type:
        _name_fields(message)
    return file.SerializeToString()


def _name_fields(message: DescriptorProto) -> None:
    for field in message.field:
        if not field.json_name:
            field.json_name = re.sub(r"_+(.)?", lambda m: (m[1] or "").upper(), field.name)
    for nested in message.nested_type:
        _name_fields(nested)
