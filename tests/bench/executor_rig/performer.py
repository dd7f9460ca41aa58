"""The cheapest performer: ``python -m tests.bench.executor_rig.performer``, on $GRPC_PORT.

Echoes. With $LEDGER each task's id is on disk there before it is worked on, one in a line, in the
one file of all instances; with $HOLD_SECONDS it takes that long.
"""

import asyncio
import os
import signal

import grpc
import grpc.aio
from eigenlayer.hourglass.v1.performer import performer_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health

SERVICE = "eigenlayer.hourglass.v1.performer.PerformerService"
EXECUTE_TASK = f"/{SERVICE}/ExecuteTask"


class Echo:
    """``ExecuteTask`` on bytes."""

    def __init__(self, ledger: str, hold_seconds: float) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._ledger = os.open(ledger, flags, 0o600) if ledger else None
        self._hold = hold_seconds

    async def execute(self, data: bytes, _: object) -> bytes:
        request = performer_pb2.TaskRequest.FromString(data)
        if self._ledger is not None:
            os.write(self._ledger, request.task_id + b"\n")
            os.fdatasync(self._ledger)
        if self._hold:
            await asyncio.sleep(self._hold)
        return performer_pb2.TaskResponse(
            task_id=request.task_id, result=request.payload
        ).SerializeToString()


async def main() -> None:
    """Serve until SIGTERM."""
    echo = Echo(os.environ.get("LEDGER", ""), float(os.environ.get("HOLD_SECONDS", "0")))
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(echo.execute)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"ExecuteTask": method}),)
    )
    health_pb2_grpc.add_HealthServicer_to_server(grpc_health.HealthServicer(), server)
    port = server.add_insecure_port(f"127.0.0.1:{os.environ.get('GRPC_PORT', '0')}")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main())
