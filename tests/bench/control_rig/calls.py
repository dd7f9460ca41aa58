"""The bench's own side: calls of PerformerControl as bytes, so that the caller costs little."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_services.rpc.channel import open_channel

SERVICE = "/eigenlayer.hourglass.control.v1.PerformerControl"
CHANNELS = 4
"""Connections; one would bound how much is under way."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A few channels to one PerformerControl."""

    channels: Sequence[grpc.aio.Channel]

    def method(self, name: str, number: int = 0) -> Callable[[bytes], Awaitable[bytes]]:
        """Return the method on one of the channels; bytes in, bytes out."""
        channel = self.channels[number % len(self.channels)]
        call: Any = channel.unary_unary(f"{SERVICE}/{name}")
        return call  # type: ignore[no-any-return]

    def watch(self, request: bytes, number: int) -> Any:
        channel: Any = self.channels[number % len(self.channels)]
        return channel.unary_stream(f"{SERVICE}/WatchPerformers")(request)


@asynccontextmanager
async def calling(address: str) -> AsyncIterator[Caller]:
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(open_channel(address)) for _ in range(CHANNELS)]
        yield Caller(channels)


async def seconds_of(call: Callable[[], Awaitable[object]]) -> float:
    began = time.monotonic()
    await call()
    return time.monotonic() - began


async def per_second(
    method: Callable[[int], Callable[[bytes], Awaitable[bytes]]],
    requests: Sequence[bytes],
    callers: int,
) -> float:
    """Return how many calls a second were answered to so many callers."""
    waiting = iter(requests)

    async def work(number: int) -> None:
        ask = method(number)
        for request in waiting:
            await ask(request)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(work(number))
    return len(requests) / (time.monotonic() - began)


def list_request(namespace: str) -> bytes:
    message = control_pb2.ListPerformersRequest(namespace=namespace, page_size=1000)
    return message.SerializeToString()


def get_request(namespace: str, name: str) -> bytes:
    return control_pb2.GetPerformerRequest(namespace=namespace, name=name).SerializeToString()


def create_request(namespace: str, name: str, spec: dict[str, str]) -> bytes:
    message = control_pb2.CreatePerformerRequest(
        namespace=namespace,
        name=name,
        spec=control_pb2.PerformerSpec(avs_address=spec["avsAddress"], image=spec["image"]),
    )
    return message.SerializeToString()
