"""A second attempt beside a slow first one, for tasks that may run twice, on loopback."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from random import Random

import grpc
import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_common.domain.task import Completed, OutcomeUnknown
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.hedging import HedgePolicy
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.retry_budget import RetryPolicy

from tests.support.dispatching import AVS, CLOCK, dispatching, run, task, until, view
from tests.support.performers import Context, Handler, Performer, aborts, echo, never, running

HEDGED = DispatchPolicy(hedge=HedgePolicy(delay=0.05))


def by_avs(policies: Mapping[str, DispatchPolicy]) -> Dispatcher:
    return Dispatcher(clock=CLOCK, rng=Random(1), policies=policies)


def in_turn(*handlers: Handler) -> Handler:
    """Return a handler whose first call is handled by the first of ``handlers``, and so on."""
    left = iter(handlers)

    async def handler(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return await next(left)(request, context)

    return handler


def two(*handlers: Handler) -> tuple[Performer, Performer]:
    shared = in_turn(*handlers)
    return Performer("a", shared), Performer("b", shared)


async def test_the_first_answer_wins_and_the_other_call_is_cancelled() -> None:
    one, other = two(never, echo)
    async with (
        running(one, other),
        dispatching(one.endpoint(), other.endpoint(), policy=HEDGED) as dispatcher,
    ):
        outcome = await run(dispatcher, idempotent=True)
        await until(lambda: one.cancelled or other.cancelled)
        assert isinstance(outcome, Completed)
        assert one.ledger == other.ledger, "each had it once"
        assert len(one.cancelled) + len(other.cancelled) == 1
        assert view(dispatcher, "a").in_flight == view(dispatcher, "b").in_flight == 0


@pytest.mark.parametrize(
    ("policy", "idempotent"), [(HEDGED, False), (DispatchPolicy(), True)], ids=["not", "off"]
)
async def test_no_second_attempt_for_others_nor_by_default(
    policy: DispatchPolicy, idempotent: bool
) -> None:
    one, other = two(never, echo)
    async with (
        running(one, other),
        dispatching(one.endpoint(), other.endpoint(), policy=policy) as dispatcher,
    ):
        outcome = await run(dispatcher, seconds=0.4, idempotent=idempotent)
        assert isinstance(outcome, OutcomeUnknown)
        assert len(one.ledger) + len(other.ledger) == 1


async def test_an_end_without_an_answer_leaves_it_to_the_other_call() -> None:
    release = asyncio.Event()

    async def late(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        await release.wait()
        return await echo(request, context)

    one, other = two(late, aborts(grpc.StatusCode.UNAVAILABLE))
    async with (
        running(one, other),
        dispatching(one.endpoint(), other.endpoint(), policy=HEDGED) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        execution = group.create_task(run(dispatcher, idempotent=True))
        await until(lambda: sum(view.lost for view in dispatcher.snapshot()) == 1)
        release.set()
        assert isinstance(await execution, Completed)


async def test_second_attempts_stay_within_the_budget() -> None:
    one, other = Performer("a", never), Performer("b", never)
    policy = DispatchPolicy(
        router=RouterPolicy(concurrency=1000),
        retry=RetryPolicy(attempts=1, ratio=0.2, floor=3),
        hedge=HedgePolicy(delay=0.01),
    )
    async with (
        running(one, other),
        dispatching(one.endpoint(), other.endpoint(), policy=policy) as dispatcher,
    ):
        await asyncio.gather(
            *(run(dispatcher, number, seconds=0.5, idempotent=True) for number in range(20))
        )
    assert 20 + 3 <= len(one.ledger) + len(other.ledger) <= 20 + 3 + 4


async def test_a_cancelled_task_gives_both_places_back() -> None:
    one, other = Performer("a", never), Performer("b", never)
    async with (
        running(one, other),
        dispatching(one.endpoint(), other.endpoint(), policy=HEDGED) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        execution = group.create_task(run(dispatcher, idempotent=True))
        await until(lambda: one.ledger and other.ledger)
        execution.cancel()
        await until(lambda: one.cancelled and other.cancelled)
        assert view(dispatcher, "a").in_flight == view(dispatcher, "b").in_flight == 0


async def test_an_avs_with_its_own_policy_is_hedged_alone() -> None:
    one, other = Performer("a", never), Performer("b", never)
    async with running(one, other), by_avs({AVS.lower(): HEDGED}) as dispatcher:
        for avs, name in ((AVS, "performer"), ("0xother", "other")):
            dispatcher.set_endpoints(
                avs, name, [replace(each.endpoint(), performer_id=name) for each in (one, other)]
            )
        await until(lambda: all(view.skipped is None for view in dispatcher.snapshot()))
        await run(dispatcher, 1, seconds=0.4, idempotent=True)
        assert len(one.ledger) + len(other.ledger) == 2
        unhedged = replace(task(2, idempotent=True), avs="0xother")
        await dispatcher.execute(unhedged, CLOCK.monotonic() + 0.4)
        assert len(one.ledger) + len(other.ledger) == 3
