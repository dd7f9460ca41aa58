"""Watchers of the bench: each notes when it saw which patch."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio
from eigenlayer.hourglass.control.v1 import control_pb2

from tests.bench.control_rig.calls import Caller

LABEL = "bench-patch"
Event = control_pb2.WatchPerformersResponse


@dataclass
class Watchers:
    """``seen`` holds, for each of the patches by number, when each watcher saw it."""

    numbers: range
    ready: int = 0
    seen: dict[int, list[float]] = field(default_factory=dict)
    total: int = 0
    last: float = 0.0

    async def follow(self, caller: Caller, namespace: str, number: int) -> None:
        request = control_pb2.WatchPerformersRequest(namespace=namespace).SerializeToString()
        call = caller.watch(request, number)
        known: set[int] = set()
        try:
            async for data in call:
                now = time.monotonic()
                event = Event.FromString(data)
                if event.type == Event.TYPE_SNAPSHOT_DONE:
                    self.ready += 1
                patch = int(event.performer.labels.get(LABEL, "-1"))
                if patch in self.numbers and patch not in known:
                    known.add(patch)  # later ones with this label tell of something else
                    self.seen.setdefault(patch, []).append(now)
                    self.total += 1
                    self.last = now
        except grpc.aio.AioRpcError as error:
            raise RuntimeError(f"a watch broke: {error.details()}") from error

    async def until(self, total: int, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while self.total < total:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(
    caller: Caller, namespace: str, count: int, numbers: range
) -> AsyncIterator[Watchers]:
    """Run so many watchers of the patches ``numbers``, that have read their snapshot."""
    found = Watchers(numbers)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(found.follow(caller, namespace, n)) for n in range(count)]
        while found.ready < count:
            await asyncio.sleep(0.01)
        yield found
        for task in tasks:
            task.cancel()


def latencies(sent: Mapping[int, float], watchers: Watchers) -> list[float]:
    """Return the seconds from each patch to each watcher."""
    return [at - sent[number] for number, found in watchers.seen.items() for at in found]
