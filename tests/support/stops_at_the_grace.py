"""Stops servers that hold a call past their grace: ``python -m tests.support.stops_at_the_grace``.

A fault of the library there ends the process, so that it is one of its own.
"""

import asyncio
import sys
from typing import Any

import grpc.aio
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.server import RpcServer

GRACE_SECONDS = 0.02
AT_ONCE = 20
"""So many that the loop is late, and a grace ends together with what it waits for."""


class Waits:
    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def GetPerformer(self, request: Any, context: Any) -> Any:
        self.entered.set()
        await asyncio.Event().wait()


async def stop_one() -> None:
    service = Waits()
    server = RpcServer([(PERFORMER_CONTROL, service)])
    await server.start("127.0.0.1:0", flag="--address")
    async with open_channel(f"127.0.0.1:{server.port}") as channel, asyncio.TaskGroup() as group:
        group.create_task(cut_off(channel))
        await service.entered.wait()
        await server.stop(GRACE_SECONDS)


async def cut_off(channel: grpc.aio.Channel) -> None:
    try:
        await control_pb2_grpc.PerformerControlStub(channel).GetPerformer(
            control_pb2.GetPerformerRequest(name="a"), timeout=5
        )
    except grpc.aio.AioRpcError:
        return
    raise AssertionError("the call was answered")


async def main(times: int) -> None:
    for _ in range(times):
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(stop_one())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
