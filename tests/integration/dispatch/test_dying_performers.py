"""Performers that crash under load, one after the other, with one that never does."""

import asyncio
from collections import Counter
from random import Random

from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_common.domain.task import Completed, OutcomeUnknown, Task, TaskOutcome
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.retry_budget import RetryPolicy

from tests.support.performers import Context, Performer, running

CLOCK = SystemClock()
TASKS = 400
AT_ONCE = 16


async def brief(request: performer_pb2.TaskRequest, context: Context) -> performer_pb2.TaskResponse:
    await asyncio.sleep(0.02)
    return performer_pb2.TaskResponse(task_id=request.task_id, result=request.payload)


async def load(dispatcher: Dispatcher) -> dict[str, TaskOutcome]:
    """Run ``TASKS`` tasks, every other one idempotent; return the outcome of each by id."""
    outcomes: dict[str, TaskOutcome] = {}
    numbers = iter(range(TASKS))

    async def worker() -> None:
        for number in numbers:
            task = Task(
                task_id=f"0x{number:064x}",
                avs="0xa",
                payload=b"x",
                idempotent=is_idempotent(number),
            )
            outcomes[task.task_id] = await dispatcher.execute(task, CLOCK.monotonic() + 20)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())
    return outcomes


def is_idempotent(number: int) -> bool:
    return number % 2 == 0


async def die_in_turn(performers: list[Performer]) -> None:
    while True:
        for performer in performers:
            await asyncio.sleep(0.1)
            await performer.crash()
            await performer.start()


async def test_no_task_is_run_twice_and_no_idempotent_one_fails() -> None:
    performers = [Performer(name, brief) for name in ("a", "b", "c", "d")]
    # A floor for a burst: sixteen calls can be on one instance that dies.
    policy = DispatchPolicy(retry=RetryPolicy(floor=30, ceiling=100))
    async with (
        running(*performers),
        Dispatcher(clock=CLOCK, rng=Random(1), policy=policy) as dispatcher,
    ):
        endpoints = [performer.endpoint() for performer in performers]
        dispatcher.set_endpoints("0xa", "performer", endpoints)
        assert await dispatcher.wait_usable("performer", 10)
        async with asyncio.TaskGroup() as group:
            dying = group.create_task(die_in_turn(performers[1:]))
            outcomes = await load(dispatcher)
            dying.cancel()
    runs = Counter(identity for performer in performers for identity in performer.ledger)
    assert len(outcomes) == TASKS
    for number in range(TASKS):
        identity = f"0x{number:064x}"
        outcome = outcomes[identity]
        if is_idempotent(number):
            assert isinstance(outcome, Completed), outcome
        else:
            assert runs[identity] <= 1
            assert isinstance(outcome, Completed | OutcomeUnknown), outcome
        if isinstance(outcome, Completed):
            assert runs[identity] >= 1
    assert sum(isinstance(outcome, OutcomeUnknown) for outcome in outcomes.values()) >= 1
