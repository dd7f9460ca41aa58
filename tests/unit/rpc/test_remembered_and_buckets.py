"""What is remembered for a while, what is limited, and what is asked once."""

import asyncio

import pytest
from hourglass_services.rpc.buckets import Buckets, Rate
from hourglass_services.rpc.remembered import Remembered
from hourglass_services.rpc.shared import Shared


def test_an_answer_holds_until_its_time_and_no_longer() -> None:
    known: Remembered[str, int] = Remembered(2)
    known.put("a", 1, until=10.0)
    assert known.get("a", 9.999) == (1, 10.0)
    assert known.get("a", 10.0) is None
    assert len(known) == 0


def test_when_full_the_answer_that_was_not_asked_for_goes() -> None:
    known: Remembered[str, int] = Remembered(2)
    known.put("a", 1, until=10.0)
    known.put("b", 2, until=10.0)
    known.get("a", 0.0)
    known.put("c", 3, until=10.0)
    assert known.get("a", 0.0) is not None
    assert known.get("b", 0.0) is None
    assert len(known) == 2


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    buckets = Buckets(Rate(per_second=10, burst=3))
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 0.0) == pytest.approx(0.1)
    assert buckets.take("a", 0.05) == pytest.approx(0.05)
    assert buckets.take("a", 0.1) == 0
    assert buckets.take("b", 0.1) == 0


def test_in_the_long_run_no_more_than_the_rate_is_given() -> None:
    buckets = Buckets(Rate(per_second=10, burst=20))
    given = sum(buckets.take("a", tick / 1000) == 0 for tick in range(10_000))
    assert given == pytest.approx(20 + 10 * 10, abs=1)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1))
    assert buckets.take("a", 100.0) == 0
    assert buckets.take("a", 0.0) > 0


def test_buckets_are_kept_of_so_many_keys_and_no_more() -> None:
    buckets = Buckets(Rate(per_second=1, burst=1), size=10)
    for number in range(1000):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 10


class Question:
    """Counts how often it is asked, and answers when told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked = 0
        self.answer = asyncio.Event()
        self.failure = failure

    async def __call__(self) -> int:
        self.asked += 1
        await self.answer.wait()
        if self.failure is not None:
            raise self.failure
        return self.asked


async def test_many_who_ask_at_once_get_one_answer() -> None:
    shared: Shared[str, int] = Shared()
    question = Question()
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(shared.ask("a", question)) for _ in range(50)]
        await asyncio.sleep(0)
        question.answer.set()
    assert [task.result() for task in asking] == [1] * 50
    assert await shared.ask("a", question) == 2


async def test_a_failure_is_shared_and_not_kept() -> None:
    shared: Shared[str, int] = Shared()
    question = Question(failure=ValueError("away"))

    async def outcome() -> str:
        try:
            return str(await shared.ask("a", question))
        except ValueError as error:
            return str(error)

    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(outcome()) for _ in range(3)]
        await asyncio.sleep(0)
        question.answer.set()
    assert [task.result() for task in asking] == ["away"] * 3
    question.failure = None
    assert await shared.ask("a", question) == 2


async def test_where_the_one_who_asks_is_cancelled_the_next_one_asks() -> None:
    shared: Shared[str, int] = Shared()
    question = Question()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(shared.ask("a", question))
        await asyncio.sleep(0)
        second = group.create_task(shared.ask("a", question))
        await asyncio.sleep(0)
        first.cancel()
        question.answer.set()
    assert first.cancelled()
    assert second.result() == 2
