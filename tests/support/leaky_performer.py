"""``python -m tests.support.leaky_performer``: does what its payloads say, and repeats them.

The payload is a word and anything after it: ``ok``, ``fail``, ``unknown``, ``confuse`` or ``exit``.
"""

import asyncio
import os
from typing import Any

import grpc
import grpc.aio
from eigenlayer.hourglass.v1.performer import performer_pb2
from grpc_health.v1.health import aio as grpc_health

from tests.support.performers import Context, Performer


async def leak(request: performer_pb2.TaskRequest, context: Context) -> performer_pb2.TaskResponse:
    text = request.payload.decode()
    print(text, flush=True)
    match text.split()[0]:
        case "fail":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
        case "unknown":
            await context.abort(grpc.StatusCode.INTERNAL, text)
        case "confuse":
            return performer_pb2.TaskResponse(task_id=request.payload, result=request.payload)
        case "exit":
            os._exit(1)
        case _:
            return performer_pb2.TaskResponse(
                task_id=request.task_id, result=b"output " + request.payload
            )
    raise AssertionError


async def main() -> None:
    health: Any = grpc_health.HealthServicer()
    performer = Performer(handler=leak, health=health, port=int(os.environ["GRPC_PORT"]))
    await performer.start()
    await performer.server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
