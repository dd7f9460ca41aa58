"""A watcher that does not read: what is kept for it is bounded, and it is told of the gap."""

import asyncio
import gc
from itertools import pairwise

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
        told: list[int | None] = []  # the numbers; None is a RESYNC
        async with asyncio.timeout(30):
            while not told or told[-1] != CHANGES - 1:
                event = await call.read()
                assert isinstance(event, Event)
                if event.type == Event.TYPE_RESYNC:
                    told.append(None)
                elif event.type != Event.TYPE_SNAPSHOT_DONE:
                    told.append(int(event.performer.spec.config.environment["NUMBER"]))
        call.cancel()
    assert held <= BUFFER + 10
    assert None in told
    for one, after in pairwise(told):
        assert one is None or after is None or after == one + 1
    assert len(told) * len(NOTE) <= TRANSPORT_BYTES + BUFFER * len(NOTE)
