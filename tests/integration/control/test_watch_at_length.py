"""10,000 events of watches that are cut off 20 times: none is missed, and none told twice.

Fifty performers are patched without a pause, each with a counter in a label, while five readers
watch them through two replicas. 20 times one of them is cut off: it goes on with its last token at
the same replica, at the other one, or at the other one after that was restarted; who watched that
one is cut off too.

Each reader accounts for each performer. While it is connected the counter goes up by one. The first
event after a cut may be further on, since what was missed is told once, as it is then; it is never
what is known already. What came after the last token before the cut is not known: it comes again.
After RESYNC, which only a restarted replica may answer, the snapshot is what is known; its events
are not counted. At every fifth cut the patches rest while the reader comes back: what it missed is
all that it can be told. In the end every reader has the last counter of each.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.resources import PERFORMERS
from hourglass_services.rpc.channel import open_channel

from tests.support.control_pair import SPEC, Pair, control

pytestmark = pytest.mark.real_api

PERFORMER_COUNT, READERS, WRITERS = 50, 5, 10
EVENTS, CUTS = 10_000, 20
LABEL = "counter"
Message = control_pb2.WatchPerformersResponse
CHANGES = (Message.TYPE_ADDED, Message.TYPE_MODIFIED)


@dataclass
class Replicas:
    """Two replicas of PerformerControl; one may be restarted, under another address."""

    kube: KubeClient
    namespace: str
    addresses: list[str] = field(default_factory=list)
    restarted: set[str] = field(default_factory=set)
    stacks: list[AsyncExitStack] = field(default_factory=list)

    async def start(self) -> Pair:
        stack = AsyncExitStack()
        self.stacks.append(stack)
        made = await stack.enter_async_context(control(self.kube, self.namespace))
        self.addresses.append(made.address)
        return made

    async def restart(self, number: int) -> None:
        await self.stacks[number].aclose()
        self.stacks[number] = AsyncExitStack()
        made = await self.stacks[number].enter_async_context(control(self.kube, self.namespace))
        self.addresses[number] = made.address
        self.restarted.add(made.address)

    async def stop(self) -> None:
        for stack in self.stacks:
            await stack.aclose()


@dataclass
class Reader:
    """Watches, and accounts for what it is told."""

    namespace: str
    replicas: Replicas
    replica: int
    events: int = 0
    resyncs: int = 0
    told_again: int = 0
    cuts: int = 0
    token: str = ""
    known: dict[str, int] = field(default_factory=dict)
    certain: dict[str, int] = field(default_factory=dict)
    snapshot: dict[str, int] | None = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    """Performers of which nothing was told yet since the cut."""
    unsure: int = 0
    may_connect: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""
    call: Any = None

    async def run(self) -> None:
        while True:
            await self.may_connect.wait()
            self.address = self.replicas.addresses[self.replica]
            with suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
                async with open_channel(self.address) as channel:
                    stub = control_pb2_grpc.PerformerControlStub(channel)
                    request = control_pb2.WatchPerformersRequest(
                        namespace=self.namespace, resume_token=self.token
                    )
                    self.call = stub.WatchPerformers(request)
                    async for message in self.call:
                        self.read(message)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                return
            self.cut_off()
            await asyncio.sleep(0.05)  # the replica is being restarted

    def go_on_at(self, replica: int) -> None:
        self.replica = replica
        if self.call is not None:
            self.call.cancel()

    def cut_off(self) -> None:
        self.cuts += 1
        self.told_again += self.unsure
        self.events -= self.unsure
        self.unsure = 0
        self.known = dict(self.certain)
        self.fresh = set(self.known)
        self.snapshot = None if self.token else {}

    def read(self, message: Message) -> None:
        match message.type:
            case Message.TYPE_RESYNC:
                assert self.address in self.replicas.restarted, "it had not forgotten anything"
                self.resyncs += 1
                self.snapshot = {}
            case Message.TYPE_SNAPSHOT_DONE:
                assert self.snapshot is not None
                self.known, self.snapshot, self.fresh = self.snapshot, None, set()
            case kind if kind in CHANGES:
                self.learn(message.performer.name, int(message.performer.labels[LABEL]))
            case kind:
                assert kind == Message.TYPE_BOOKMARK, "nothing is deleted here"
        if message.resume_token:
            self.token, self.certain, self.unsure = message.resume_token, dict(self.known), 0

    def learn(self, name: str, counter: int) -> None:
        if self.snapshot is not None:
            assert counter >= self.known.get(name, 0), f"{name} went back to {counter}"
            self.snapshot[name] = counter
            return
        if name in self.fresh:
            assert counter > self.known[name], f"{name}: {counter} was told before the cut"
            self.fresh.discard(name)
        else:
            assert counter == self.known[name] + 1, f"{name}: {counter} after {self.known[name]}"
        self.known[name] = counter
        self.events += 1
        self.unsure += 1


class Writers:
    """Count up in a label of each performer, as fast as the API takes it, until told to stop."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.counters = {f"p{number:02}": 0 for number in range(PERFORMER_COUNT)}
        self.stopped = False
        self.working = 0
        self.may_write = asyncio.Event()
        self.may_write.set()

    async def rest(self) -> None:
        """Return once nothing is being written."""
        self.may_write.clear()
        await until((self.working == 0 for _ in count()), 10)

    async def create(self) -> None:
        for name in self.counters:
            meta = {"name": name, "labels": {LABEL: "0"}}
            body = {
                "apiVersion": PERFORMERS.api_version,
                "kind": PERFORMERS.kind,
                "metadata": meta,
                "spec": SPEC,
            }
            await self.kube.create(PERFORMERS, self.namespace, body)

    async def run(self, number: int) -> None:
        mine = [name for index, name in enumerate(self.counters) if index % WRITERS == number]
        while not self.stopped:
            for name in mine:
                await self.may_write.wait()
                self.working += 1
                self.counters[name] += 1
                patch = {"metadata": {"labels": {LABEL: str(self.counters[name])}}}
                await self.kube.merge_patch(PERFORMERS, self.namespace, name, patch)
                self.working -= 1


@asynccontextmanager
async def two_replicas(pair: Pair) -> AsyncIterator[Replicas]:
    replicas = Replicas(pair.kube, pair.namespace)
    try:
        await replicas.start()
        await replicas.start()
        yield replicas
    finally:
        await replicas.stop()


async def until(numbers: Iterator[bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not next(numbers):
            await asyncio.sleep(0.02)


async def cut(reader: Reader, number: int, replicas: Replicas, writers: Writers) -> None:
    """Cut a reader off and let it go on: here, there, or there after a restart."""
    resting = number % 5 == 0
    if resting:
        reader.may_connect.clear()
    replica = 1 - reader.replica if number % 2 else reader.replica
    reader.go_on_at(replica)
    if number % 4 == 3:
        await replicas.restart(replica)
    if resting:
        changes = sum(writers.counters.values())
        await until((sum(writers.counters.values()) > changes + 20 for _ in count()), 10)
        await writers.rest()
        reader.may_connect.set()
        await until((reader.known == writers.counters for _ in count()), 10)
        writers.may_write.set()


async def test_ten_thousand_events_and_twenty_cuts_without_a_gap_or_a_repeat(pair: Pair) -> None:
    writers = Writers(pair.kube, pair.namespace)
    await writers.create()
    async with two_replicas(pair) as replicas, asyncio.TaskGroup() as group:
        readers = [Reader(pair.namespace, replicas, number % 2) for number in range(READERS)]
        reading = [group.create_task(reader.run()) for reader in readers]
        for reader in readers:
            reader.may_connect.set()
        writing = [group.create_task(writers.run(number)) for number in range(WRITERS)]

        def told() -> int:
            return sum(reader.events for reader in readers)

        for number in range(CUTS):
            wanted = EVENTS * (number + 1) // (CUTS + 1)
            await until((told() >= wanted for _ in count()), 30)
            await cut(readers[number % READERS], number, replicas, writers)
        await until((told() >= EVENTS for _ in count()), 30)
        writers.stopped = True
        await asyncio.gather(*writing)
        await until((all(r.known == writers.counters for r in readers) for _ in count()), 20)
        for task in reading:
            task.cancel()
    cuts = sum(reader.cuts for reader in readers)
    assert cuts >= CUTS
    print(
        f"{sum(writers.counters.values())} changes, {told()} events, {cuts} cuts, "
        f"{sum(r.resyncs for r in readers)} resyncs, "
        f"{sum(r.told_again for r in readers)} events after a last token"
    )
