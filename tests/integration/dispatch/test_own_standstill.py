"""The executor stands still for a while: no instance is blamed for that (E16)."""

import asyncio
from threading import Event

import pytest
from hourglass_common.domain.task import OutcomeUnknown
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.policy import RouterPolicy

from tests.support.dispatching import dispatching, run, until
from tests.support.performers import Performer, never, running

POLICY = DispatchPolicy(router=RouterPolicy(breaker=BreakerPolicy(trip_after=3)))


@pytest.mark.parametrize(
    ("stands_still", "breakers"), [(2.0, {"Closed"}), (0.0, {"Closed", "Open"})]
)
async def test_tasks_that_ran_out_of_time_meanwhile_eject_nobody(
    stands_still: float, breakers: set[str]
) -> None:
    one, other = Performer("a", never), Performer("b", never)
    async with (
        running(one, other),
        dispatching(one.endpoint(), other.endpoint(), policy=POLICY) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        await asyncio.sleep(0.3)
        executions = [group.create_task(run(dispatcher, n, seconds=0.5)) for n in range(12)]
        await until(lambda: len(one.ledger) + len(other.ledger) == 12)
        Event().wait(stands_still)  # the loop does not run meanwhile
        ends = await asyncio.gather(*executions)
        assert all(isinstance(end, OutcomeUnknown) for end in ends)
        assert {view.breaker for view in dispatcher.snapshot()} == breakers
