"""The dispatcher against real gRPC servers on loopback: crashes, queues, its own end."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from threading import Event as BlockingEvent
from time import monotonic

import grpc
from eigenlayer.hourglass.v1.performer import performer_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, TaskOutcome
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.health import HealthStatus
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.retry_budget import RetryPolicy
from hourglass_executor.routing.skip import SkipReason
from prometheus_client import CollectorRegistry

from tests.support.dispatching import (
    AVS,
    CLOCK,
    ClockThatJumps,
    dispatching,
    run,
    task,
    the_error,
    until,
    view,
)
from tests.support.performers import (
    NOT_SERVING,
    Context,
    Performer,
    aborts,
    never,
    running,
)


async def test_a_crash_takes_it_out_at_once() -> None:
    performer = Performer()
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        began = monotonic()
        await performer.crash()
        await until(lambda: view(dispatcher).skipped is SkipReason.NOT_CONNECTED)
        assert monotonic() - began < 0.2


# -- failure


async def test_a_crash_under_a_task_leaves_its_outcome_unknown_and_it_runs_once() -> None:
    one, two = Performer("a", never), Performer("b", never)
    async with (
        running(one, two),
        dispatching(one.endpoint(), two.endpoint()) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        execution = group.create_task(run(dispatcher))
        await until(lambda: one.ledger + two.ledger)
        await (one if one.ledger else two).crash()
        outcome = await execution
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.error.code is Code.ABORTED
        assert len(one.ledger + two.ledger) == 1


async def test_an_idempotent_task_is_sent_elsewhere_after_a_crash() -> None:
    one, two = Performer("a", never), Performer("b", never)
    async with (
        running(one, two),
        dispatching(one.endpoint(), two.endpoint()) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        execution = group.create_task(run(dispatcher, idempotent=True))
        await until(lambda: one.ledger + two.ledger)
        first, second = (one, two) if one.ledger else (two, one)
        second.handler = Performer().handler
        await first.crash()
        assert await execution == Completed(b"x", second.name)


async def test_a_repeat_that_finds_no_performer_does_not_hide_the_unknown_outcome() -> None:
    performer = Performer(handler=never)
    async with (
        running(performer),
        dispatching(performer.endpoint()) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        execution = group.create_task(run(dispatcher, idempotent=True, seconds=1))
        await performer.began.wait()
        await performer.crash()
        assert isinstance(await execution, OutcomeUnknown)


async def test_a_repeat_that_was_not_started_does_not_hide_the_unknown_outcome() -> None:
    lost = aborts(grpc.StatusCode.UNAVAILABLE)
    refused = aborts(grpc.StatusCode.UNAVAILABLE, hourglass_task_state="not-started")
    performer = Performer()
    policy = DispatchPolicy(retry=RetryPolicy(attempts=2))

    async def first_lost_then_refused(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return await (lost if len(performer.ledger) == 1 else refused)(request, context)

    performer.handler = first_lost_then_refused
    async with (
        running(performer),
        dispatching(performer.endpoint(), policy=policy) as dispatcher,
    ):
        assert isinstance(await run(dispatcher, idempotent=True), OutcomeUnknown)
    assert len(performer.ledger) == 2


@asynccontextmanager
async def waiting_for_readiness(
    performer: Performer, clock: ClockThatJumps
) -> AsyncIterator[tuple[Dispatcher, asyncio.Task[TaskOutcome]]]:
    """A task that waits for an endpoint whose deployer does not call it ready yet."""
    async with (
        running(performer),
        Dispatcher(clock=clock, rng=Random(1)) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        dispatcher.set_endpoints(AVS, "performer", [replace(performer.endpoint(), ready=False)])
        await until(lambda: view(dispatcher).health is HealthStatus.SERVING)
        execution = group.create_task(dispatcher.execute(task(), clock.monotonic() + 10))
        await asyncio.sleep(0)
        yield dispatcher, execution


async def test_a_task_cancelled_just_as_it_was_sent_is_not_run() -> None:
    performer = Performer()
    async with waiting_for_readiness(performer, ClockThatJumps()) as (dispatcher, execution):
        dispatcher.set_endpoints(AVS, "performer", [performer.endpoint()])
        assert view(dispatcher).in_flight == 1
        execution.cancel()
        await asyncio.wait([execution])
        assert view(dispatcher).in_flight == 0
    assert performer.ledger == []


async def test_a_task_whose_time_ended_just_as_it_was_sent_is_not_run() -> None:
    performer = Performer()
    clock = ClockThatJumps()
    async with waiting_for_readiness(performer, clock) as (dispatcher, execution):
        dispatcher.set_endpoints(AVS, "performer", [performer.endpoint()])
        clock.ahead += 11
        outcome = await execution
        assert isinstance(outcome, Failed)
        assert not outcome.executed
        assert outcome.error.code is Code.DEADLINE_EXCEEDED
        assert view(dispatcher).in_flight == 0
    assert performer.ledger == []


async def test_a_cancelled_task_leaves_its_place_in_the_queue() -> None:
    policy = DispatchPolicy(router=RouterPolicy(queue=1))
    async with (
        dispatching(policy=policy, usable=False) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(run(dispatcher, 1))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        outcome = await run(dispatcher, 2, seconds=0.1)
        assert the_error(outcome)[0] is Code.DEADLINE_EXCEEDED, "it had room to wait"


async def test_a_connection_that_broke_a_moment_ago_gets_no_task() -> None:
    performer = Performer()
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
        performer.port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        async with dispatching(performer.endpoint()) as dispatcher:
            # The loop does not run meanwhile: only the channel itself knows.
            server.stop(None).wait()
            BlockingEvent().wait(0.1)
            assert view(dispatcher).skipped is None
            async with asyncio.TaskGroup() as group:
                execution = group.create_task(run(dispatcher))
                await asyncio.sleep(0)
                assert view(dispatcher).skipped is SkipReason.NOT_CONNECTED
                async with running(performer):
                    assert await execution == Completed(b"x", "a")


async def test_repeats_stay_within_the_budget() -> None:
    failing = aborts(grpc.StatusCode.UNAVAILABLE)
    performer = Performer(handler=failing)
    policy = DispatchPolicy(retry=RetryPolicy(attempts=10, ratio=0.2, floor=3))
    async with (
        running(performer),
        dispatching(performer.endpoint(), policy=policy) as dispatcher,
    ):
        for number in range(20):
            outcome = await run(dispatcher, number, idempotent=True)
            assert isinstance(outcome, OutcomeUnknown)
    assert 20 + 3 <= len(performer.ledger) <= 20 + 3 + 4


async def test_one_of_two_that_fails_is_ejected_and_the_other_does_the_work() -> None:
    bad, good = Performer("a", aborts(grpc.StatusCode.UNAVAILABLE)), Performer("b")
    policy = DispatchPolicy(router=RouterPolicy(breaker=BreakerPolicy(trip_after=3)))
    async with (
        running(bad, good),
        dispatching(bad.endpoint(), good.endpoint(), policy=policy) as dispatcher,
    ):
        outcomes = [await run(dispatcher, number) for number in range(30)]
        assert view(dispatcher, "a").breaker in {"Open", "HalfOpen"}
        assert 3 <= len(bad.ledger) <= 4
        assert sum(isinstance(outcome, Completed) for outcome in outcomes) >= 26


async def test_a_task_waits_out_a_restart_of_the_only_performer() -> None:
    performer = Performer()
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        await performer.crash()
        await until(lambda: view(dispatcher).skipped is SkipReason.NOT_CONNECTED)
        async with asyncio.TaskGroup() as group:
            executions = [group.create_task(run(dispatcher, number)) for number in range(20)]
            await asyncio.sleep(0.1)
            await performer.start()
        assert {execution.result() for execution in executions} == {Completed(b"x", "a")}
    assert len(performer.ledger) == 20


async def test_a_task_that_finds_no_performer_in_time_was_not_run() -> None:
    performer = Performer()
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        await performer.crash()
        # Sent before the end of the connection is known, its outcome would rightly be unknown.
        await until(lambda: view(dispatcher).skipped is SkipReason.NOT_CONNECTED)
        outcome = await run(dispatcher, seconds=0.2)
    assert isinstance(outcome, Failed)
    assert not outcome.executed
    assert outcome.error.code is Code.DEADLINE_EXCEEDED


# -- sets that change


async def test_a_drain_waits_for_the_tasks_held_and_tells_how_many_are_left() -> None:
    release = asyncio.Event()

    async def slow(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        await release.wait()
        return performer_pb2.TaskResponse(task_id=request.task_id)

    performer = Performer(handler=slow)
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        async with asyncio.TaskGroup() as group:
            execution = group.create_task(run(dispatcher))
            await performer.began.wait()
            assert await dispatcher.drain("performer", 0.1) == 1
            (report,) = dispatcher.drain_reports("performer")
            assert (report.in_flight, report.lost) == (1, 0)
            release.set()
            assert await dispatcher.drain("performer", 5) == 0
        assert execution.result() == Completed(b"", "a")


async def test_an_endpoint_that_left_finishes_its_task_and_the_next_goes_elsewhere() -> None:
    release = asyncio.Event()

    async def slow(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        await release.wait()
        return performer_pb2.TaskResponse(task_id=request.task_id)

    old, new = Performer("old", slow), Performer("new")
    async with running(old, new), dispatching(old.endpoint()) as dispatcher:
        async with asyncio.TaskGroup() as group:
            execution = group.create_task(run(dispatcher))
            await old.began.wait()
            dispatcher.set_endpoints(AVS, "performer", [new.endpoint()])
            assert await run(dispatcher, 2) == Completed(b"x", "new")
            release.set()
        assert execution.result() == Completed(b"", "old")
        assert [view.instance for view in dispatcher.snapshot()] == ["new"]


async def test_waiting_tasks_are_refused_when_the_dispatcher_stops() -> None:
    async with (
        asyncio.TaskGroup() as group,
        Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher,
    ):
        dispatcher.set_endpoints(AVS, "performer", [])
        execution = group.create_task(run(dispatcher))
        await asyncio.sleep(0)
    code, _ = the_error(execution.result())
    assert code is Code.UNAVAILABLE
    late = await run(dispatcher)
    assert isinstance(late, Failed)
    assert not late.executed


async def test_a_task_under_way_when_the_dispatcher_stops_is_of_unknown_outcome() -> None:
    performer = Performer(handler=never)
    async with running(performer), asyncio.TaskGroup() as group:
        async with dispatching(performer.endpoint()) as dispatcher:
            execution = group.create_task(run(dispatcher))
            await performer.began.wait()
        assert isinstance(await execution, OutcomeUnknown)


async def test_run_serves_until_cancelled() -> None:
    performer = Performer()
    dispatcher = Dispatcher(clock=CLOCK, rng=Random(1))
    async with running(performer), asyncio.TaskGroup() as group:
        dispatcher.set_endpoints(AVS, "performer", [performer.endpoint()])
        serving = group.create_task(dispatcher.run())
        assert await dispatcher.wait_usable("performer", 5)
        assert await run(dispatcher) == Completed(b"x", "a")
        serving.cancel()


async def test_metrics_tell_what_is_there_and_forget_what_is_gone() -> None:
    performer = Performer()
    registry = CollectorRegistry()
    async with (
        running(performer),
        Dispatcher(clock=CLOCK, rng=Random(1), registry=registry) as dispatcher,
    ):
        dispatcher.set_endpoints(AVS, "performer", [performer.endpoint()])
        await dispatcher.wait_usable("performer", 5)
        await run(dispatcher)
        where = {"avs": "0xabcd", "performer": "performer", "instance": "a"}
        assert registry.get_sample_value("executor_inflight", where) == 0
        assert registry.get_sample_value("executor_breaker_state", where) == 0
        for name in ("connected", "serving", "usable"):
            assert registry.get_sample_value(f"executor_endpoint_{name}", where) == 1
        await performer.report(NOT_SERVING)
        await until(lambda: view(dispatcher).skipped is SkipReason.NOT_SERVING)
        assert registry.get_sample_value("executor_endpoint_connected", where) == 1
        assert registry.get_sample_value("executor_endpoint_serving", where) == 0
        ended = {"avs": "0xabcd", "code": "OK"}
        assert registry.get_sample_value("executor_task_seconds_count", ended) == 1
        dispatcher.remove("performer")
        assert registry.get_sample_value("executor_inflight", where) is None
        assert registry.get_sample_value("executor_task_seconds_count", ended) is None
