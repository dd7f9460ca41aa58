"""A watcher that does not read: what is kept for it is bounded, and it is told of the gap."""

import asyncio
import gc

from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection
from hourglass_common.kube.resources import ENDPOINT_SLICES, PERFORMERS, PODS
from hourglass_operator.control.feed import BUFFER
from hourglass_operator.control.service import PerformerControl
from hourglass_services.control.port import PerformerView
from hourglass_services.control.servicer import PerformerControlServicer

from tests.support.played_caches import History, PlayedCaches, World, performer
from tests.support.rpc_echo import served

CHANGES = 6000
NOTE = "x" * 4096
TRANSPORT_BYTES = 16 << 20
"""What HTTP/2 may have under way towards a reader who does not read."""
Event = control_pb2.WatchPerformersResponse


async def no_authorization() -> None:
    return None


def views_in_memory() -> int:
    gc.collect()
    return sum(1 for found in gc.get_objects() if type(found) is PerformerView)


async def test_a_reader_that_stops_reading_costs_a_bounded_buffer_and_is_told_to_begin_again() -> (
    None
):
    world = World({kind.plural: History(kind) for kind in (PERFORMERS, ENDPOINT_SLICES, PODS)})
    client = KubeClient(Connection("http://127.0.0.1:1", None, no_authorization))
    caches = PlayedCaches.of(world)
    control = PerformerControl(client, caches.caches(), lambda *_: None)
    async with served(PerformerControlServicer(control)) as (_, channel):
        stub = control_pb2_grpc.PerformerControlStub(channel)
        call = stub.WatchPerformers(control_pb2.WatchPerformersRequest())
        first = await call.read()
        assert isinstance(first, Event)
        assert first.type == Event.TYPE_SNAPSHOT_DONE
        before = views_in_memory()
        for number in range(CHANGES):
            made = performer("0xa")
            made["spec"]["config"] = {"environment": {"NUMBER": str(number), "NOTE": NOTE}}
            world.put("performers", ("ns", "p"), made)
            caches.performers.read_all()
            await asyncio.sleep(0)
        held = views_in_memory() - before
        told: list[Event] = []
        async with asyncio.timeout(30):
            while not told or told[-1].type != Event.TYPE_SNAPSHOT_DONE:
                event = await call.read()
                assert isinstance(event, Event)
                told.append(event)
        call.cancel()
    assert held <= BUFFER + 10
    kinds = [event.type for event in told]
    assert kinds[-3:] == [Event.TYPE_RESYNC, Event.TYPE_ADDED, Event.TYPE_SNAPSHOT_DONE]
    assert told[-2].performer.spec.config.environment["NUMBER"] == str(CHANGES - 1)
    numbers = [int(event.performer.spec.config.environment["NUMBER"]) for event in told[:-3]]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) * len(NOTE) <= TRANSPORT_BYTES
