"""When an endpoint is used, and when not any more."""

import asyncio
from random import Random

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.task import Completed
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.health import HealthPolicy
from hourglass_executor.routing.skip import SkipReason

from tests.support.dispatching import (
    AVS,
    CLOCK,
    FAST_CHECKS,
    dispatching,
    run,
    until,
    view,
)
from tests.support.performers import (
    NOT_SERVING,
    SERVING,
    HealthThatFreezes,
    HealthWithoutWatch,
    Performer,
    running,
)

# -- health


async def test_it_is_not_used_before_the_first_serving() -> None:
    performer = Performer()
    async with running(performer):
        await performer.report(NOT_SERVING)
        async with dispatching(performer.endpoint(), usable=False) as dispatcher:
            async with asyncio.TaskGroup() as group:
                execution = group.create_task(run(dispatcher))
                await until(lambda: view(dispatcher).skipped is SkipReason.NOT_SERVING)
                assert not await dispatcher.wait_usable("performer", 0.05)
                assert performer.ledger == []
                await performer.report(SERVING)
                assert await dispatcher.wait_usable("performer", 5)
            assert execution.result() == Completed(b"x", "a")
            assert view(dispatcher).health_source.value == "watch"
            assert view(dispatcher).last_health_check is not None


async def test_a_staged_instance_is_seen_to_serve_and_takes_no_task_until_promoted() -> None:
    performer = Performer()
    async with (
        running(performer),
        dispatching(performer.endpoint(role=Role.STAGED), usable=False) as dispatcher,
    ):
        assert await dispatcher.wait_serving("performer", 5)
        assert not await dispatcher.wait_usable("performer", 0.05)
        dispatcher.set_endpoints(AVS, "performer", [performer.endpoint()])
        assert await run(dispatcher) == Completed(b"x", "a")


async def test_not_serving_by_watch_takes_it_out_within_200_ms() -> None:
    one, two = Performer("a"), Performer("b")
    async with (
        running(one, two),
        dispatching(one.endpoint(), two.endpoint()) as dispatcher,
    ):
        await one.report(NOT_SERVING)
        assert await until(lambda: view(dispatcher, "a").skipped) < 0.2
        for number in range(10):
            assert await run(dispatcher, number) == Completed(b"x", "b")
        await one.report(SERVING)
        await until(lambda: view(dispatcher, "a").skipped is None)


async def test_without_watch_checks_find_both_health_and_its_loss() -> None:
    performer = Performer(health=HealthWithoutWatch())
    policy = DispatchPolicy(health=FAST_CHECKS)
    async with (
        running(performer),
        dispatching(performer.endpoint(), policy=policy) as dispatcher,
    ):
        assert view(dispatcher).health_source.value == "check"
        await performer.report(NOT_SERVING)
        await until(lambda: view(dispatcher).skipped is SkipReason.NOT_SERVING)
        await performer.report(SERVING)
        assert await dispatcher.wait_usable("performer", 5)


async def test_without_health_service_it_is_used_and_that_is_visible() -> None:
    performer = Performer(health=None)
    async with running(performer), Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher:
        dispatcher.set_endpoints(AVS, "performer", [performer.endpoint()])
        assert await dispatcher.wait_usable("performer", 2), "without waiting for a period"
        assert view(dispatcher).health_source.value == "none"
        assert await run(dispatcher) == Completed(b"x", "a")


async def test_an_unknown_service_name_leads_to_the_health_of_the_whole_server() -> None:
    performer = Performer()
    policy = DispatchPolicy(health=HealthPolicy(service="nobody.knows.It"))
    async with (
        running(performer),
        dispatching(performer.endpoint(), policy=policy) as dispatcher,
    ):
        assert await run(dispatcher) == Completed(b"x", "a")


async def test_a_performer_that_answers_no_checks_is_taken_out_until_it_does() -> None:
    health = HealthThatFreezes()
    performer = Performer(health=health)
    policy = DispatchPolicy(health=FAST_CHECKS)
    async with (
        running(performer),
        dispatching(performer.endpoint(), policy=policy) as dispatcher,
    ):
        health.frozen = True
        took = await until(lambda: view(dispatcher).skipped is SkipReason.UNHEALTHY)
        assert 0.2 < took < 3
        health.frozen = False
        assert await dispatcher.wait_usable("performer", 5)
