"""Instances that are up and serve badly (E7), and none that serves well (E8); by their ledgers."""

import asyncio
from itertools import count
from time import monotonic

import grpc
import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_common.domain.task import Completed

from tests.support.dispatching import dispatching, run, view
from tests.support.performers import Context, Handler, Performer, aborts, echo, running


def every_other(bad: Handler) -> Handler:
    numbers = count()

    async def handler(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return await (bad if next(numbers) % 2 else echo)(request, context)

    return handler


async def slow(request: performer_pb2.TaskRequest, context: Context) -> performer_pb2.TaskResponse:
    await asyncio.sleep(0.05)
    return await echo(request, context)


@pytest.mark.parametrize(
    ("handler", "most"),
    [
        (aborts(grpc.StatusCode.UNAVAILABLE), 8),
        (every_other(aborts(grpc.StatusCode.INTERNAL)), 25),
        (slow, 200),
    ],
    ids=["fails", "fails every other", "ten times slower"],
)
async def test_an_instance_that_serves_badly_gets_few_tasks(handler: Handler, most: int) -> None:
    bad, good = Performer("a", handler), Performer("b")
    async with (
        running(bad, good),
        dispatching(bad.endpoint(), good.endpoint()) as dispatcher,
    ):
        numbers = iter(range(600))

        async def caller() -> None:
            for number in numbers:
                await run(dispatcher, number)

        await asyncio.gather(*(caller() for _ in range(4)))
        assert view(dispatcher, "b").breaker == "Closed"
    assert len(bad.ledger) + len(good.ledger) == len({*bad.ledger, *good.ledger}) == 600
    assert 0 < len(bad.ledger) <= most


async def test_where_all_fail_it_is_told_at_once_and_the_first_success_follows_the_healing() -> (
    None
):
    performers = [Performer(name, aborts(grpc.StatusCode.UNAVAILABLE)) for name in "abcd"]
    async with (
        running(*performers),
        dispatching(*(one.endpoint() for one in performers)) as dispatcher,
    ):
        for number in range(60):
            began = monotonic()
            assert not isinstance(await run(dispatcher, number), Completed)
            assert monotonic() - began < 1
        states = sorted(one.breaker for one in dispatcher.snapshot())
        assert states.count("Closed") == 1, "the last one stays in"
        for one in performers:
            one.handler = echo
        began, number = monotonic(), 100
        while not isinstance(await run(dispatcher, number), Completed):
            number += 1
        assert monotonic() - began < 2
    ledger = [task for one in performers for task in one.ledger]
    assert len(ledger) == len(set(ledger))
