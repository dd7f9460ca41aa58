"""The connection is cut at every frame boundary of a call, and in the middle of every frame.

The performer's ledger is the judge: whatever happens, a task that is not idempotent runs once
at most, and what the dispatcher says agrees with it.
"""

import asyncio
from random import Random

from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, Task, TaskOutcome
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.dispatch.dispatcher import Dispatcher

from tests.support.cutting_proxy import CuttingProxy, Direction, cutting_proxy, frame_ends
from tests.support.performers import Performer, running

CLOCK = SystemClock()
PAYLOAD = bytes(3000)


async def one_task(dispatcher: Dispatcher, number: int, *, idempotent: bool = False) -> TaskOutcome:
    assert await dispatcher.wait_usable("performer", 10)
    task = Task(task_id=f"0x{number:064x}", avs="0xa", payload=PAYLOAD, idempotent=idempotent)
    return await dispatcher.execute(task, CLOCK.monotonic() + 10)


def cuts_of(seen: bytes) -> list[int]:
    """Return where to cut: before the first byte, in and after each frame."""
    ends = frame_ends(seen)
    starts = [0, *ends[:-1]]
    middles = [(start + end) // 2 for start, end in zip(starts, ends, strict=True)]
    return sorted({0, *middles, *ends})


async def recorded(proxy: CuttingProxy, dispatcher: Dispatcher) -> list[tuple[Direction, int]]:
    """Return every cut to make, from the bytes of one call that goes well."""
    assert isinstance(await one_task(dispatcher, 0), Completed)
    proxy.arm()
    assert isinstance(await one_task(dispatcher, 0), Completed)
    directions: tuple[Direction, Direction] = ("up", "down")
    return [(d, size) for d in directions for size in cuts_of(bytes(proxy.seen[d]))]


async def test_a_cut_anywhere_never_makes_a_task_run_twice() -> None:
    performer = Performer()
    async with (
        running(performer),
        cutting_proxy(performer.port) as proxy,
        Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher,
    ):
        dispatcher.set_endpoints("0xa", "performer", [performer.endpoint(port=proxy.port)])
        cuts = await recorded(proxy, dispatcher)
        assert len(cuts) >= 10
        unknown = 0
        for number, (direction, size) in enumerate(cuts, start=1):
            performer.ledger.clear()
            assert await dispatcher.wait_usable("performer", 10)
            proxy.arm(direction, size)
            outcome = await one_task(dispatcher, number)
            where = f"cut after {size} bytes {direction}: {outcome}"
            assert len(performer.ledger) <= 1, where
            match outcome:
                case Completed():
                    assert len(performer.ledger) == 1, where
                case OutcomeUnknown():
                    unknown += 1
                case Failed():
                    assert not performer.ledger, where
            proxy.armed = False
        assert proxy.cuts >= len(cuts) // 2, "window updates come and go, so not every cut is met"
        assert unknown >= 5


async def test_a_cut_anywhere_does_not_fail_an_idempotent_task() -> None:
    performer = Performer()
    async with (
        running(performer),
        cutting_proxy(performer.port) as proxy,
        Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher,
    ):
        dispatcher.set_endpoints("0xa", "performer", [performer.endpoint(port=proxy.port)])
        cuts = await recorded(proxy, dispatcher)
        for number, (direction, size) in enumerate(cuts[::5], start=1):
            assert await dispatcher.wait_usable("performer", 10)
            proxy.arm(direction, size)
            outcome = await one_task(dispatcher, number, idempotent=True)
            assert isinstance(outcome, Completed), f"cut after {size} bytes {direction}"
            proxy.armed = False


async def test_a_connection_is_closed_when_its_endpoint_has_left() -> None:
    performer = Performer()
    async with (
        running(performer),
        cutting_proxy(performer.port) as proxy,
        Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher,
    ):
        dispatcher.set_endpoints("0xa", "performer", [performer.endpoint(port=proxy.port)])
        assert isinstance(await one_task(dispatcher, 1), Completed)
        assert proxy.connections == 1
        dispatcher.set_endpoints("0xa", "performer", [])
        async with asyncio.timeout(5):
            while proxy.connections:
                await asyncio.sleep(0.001)
