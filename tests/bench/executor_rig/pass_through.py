"""The floor: ``python -m tests.bench.executor_rig.pass_through TARGET`` gives each request's bytes
to ``TARGET`` and its answer's back, and does nothing else. The cheapest such program that we know.
"""

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio


class PassThrough(grpc.GenericRpcHandler):
    """Any method of any service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._calls: dict[str, Any] = {}

    def service(self, handler_call_details: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        method = handler_call_details.method
        call = self._calls.setdefault(method, self._channel.unary_unary(method))

        async def forward(data: bytes, _: object) -> bytes:
            answer: bytes = await call(data)
            return answer

        return grpc.unary_unary_rpc_method_handler(forward)


async def main(target: str) -> None:
    """Serve until killed."""
    async with grpc.aio.insecure_channel(target) as channel:
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        server.add_generic_rpc_handlers((PassThrough(channel),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"127.0.0.1:{port}", flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
