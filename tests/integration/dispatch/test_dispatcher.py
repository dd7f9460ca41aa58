"""The dispatcher against real gRPC servers on loopback."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from threading import Event as BlockingEvent
from time import monotonic

import grpc
import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, Task, TaskOutcome
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.dispatch.dispatcher import Dispatcher, DispatchPolicy
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.health import HealthPolicy, HealthStatus
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.retry_budget import RetryPolicy
from hourglass_executor.routing.skip import SkipReason
from hourglass_executor.routing.slot import EndpointView
from prometheus_client import CollectorRegistry

from tests.support.performers import (
    NOT_SERVING,
    SERVING,
    Context,
    HealthThatFreezes,
    HealthWithoutWatch,
    Performer,
    aborts,
    never,
    running,
)

AVS = "0xABcd"
CLOCK = SystemClock()
FAST_CHECKS = HealthPolicy(check_period=0.1, check_timeout=0.1)


@dataclass
class ClockThatJumps(SystemClock):
    ahead: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def task(number: int = 1, *, idempotent: bool = False, payload: bytes = b"x") -> Task:
    return Task(task_id=f"0x{number:064x}", avs=AVS.lower(), payload=payload, idempotent=idempotent)


async def run(
    dispatcher: Dispatcher, number: int = 1, *, seconds: float = 10, idempotent: bool = False
) -> TaskOutcome:
    return await dispatcher.execute(
        task(number, idempotent=idempotent), CLOCK.monotonic() + seconds
    )


@asynccontextmanager
async def dispatching(
    *endpoints: Endpoint, policy: DispatchPolicy | None = None, usable: bool = True
) -> AsyncIterator[Dispatcher]:
    async with Dispatcher(clock=CLOCK, rng=Random(1), policy=policy) as dispatcher:
        dispatcher.set_endpoints(AVS, "performer", endpoints)
        if usable:
            await until(lambda: all(view.skipped is None for view in dispatcher.snapshot()))
        yield dispatcher


async def until(holds: object, *, seconds: float = 10) -> float:
    """Wait for ``holds()``, and return how long that took."""
    assert callable(holds)
    began = monotonic()
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.001)
    return monotonic() - began


def view(dispatcher: Dispatcher, name: str = "a") -> EndpointView:
    return next(view for view in dispatcher.snapshot() if view.instance == name)


def the_error(outcome: TaskOutcome) -> tuple[Code, str]:
    assert isinstance(outcome, Failed | OutcomeUnknown), outcome
    return outcome.error.code, str(outcome.error)


# -- one task


async def test_a_task_comes_back_with_the_performers_result() -> None:
    performer = Performer()
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        assert await run(dispatcher) == Completed(b"x", "a")
    assert performer.ledger == [task().task_id]


async def test_the_deadline_goes_with_the_task() -> None:
    performer = Performer()
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        await run(dispatcher, seconds=7)
    assert performer.time_remaining is not None
    assert 5 < performer.time_remaining < 7.1  # gRPC rounds up


async def test_an_unknown_avs_is_refused() -> None:
    async with Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher:
        code, text = the_error(await run(dispatcher))
    assert (code, text) == (Code.NOT_FOUND, "AVS performer not found for address 0xabcd")


async def test_a_performer_that_outlasts_the_deadline_leaves_the_outcome_unknown() -> None:
    performer = Performer(handler=never)
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        outcome = await run(dispatcher, seconds=0.3)
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.error.reason == "TASK_OUTCOME_UNKNOWN"
    assert outcome.error.metadata["status"] == "DEADLINE_EXCEEDED"
    assert len(performer.ledger) == 1


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.ABORTED,
    ],
)
async def test_a_status_that_only_a_handler_can_give_is_the_tasks_failure(
    code: grpc.StatusCode,
) -> None:
    performer = Performer(handler=aborts(code))
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        outcome = await run(dispatcher)
    assert isinstance(outcome, Failed)
    assert outcome.executed
    assert outcome.error.code.value == code.name
    assert "as told" in str(outcome.error)


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    ],
)
async def test_a_status_that_a_broken_connection_can_give_proves_nothing(
    code: grpc.StatusCode,
) -> None:
    one, two = Performer("a", aborts(code)), Performer("b", aborts(code))
    async with (
        running(one, two),
        dispatching(one.endpoint(), two.endpoint()) as dispatcher,
    ):
        outcome = await run(dispatcher)
    assert isinstance(outcome, OutcomeUnknown)
    assert len(one.ledger + two.ledger) == 1


async def test_a_performer_can_say_that_its_status_is_the_result() -> None:
    said = aborts(grpc.StatusCode.INTERNAL, hourglass_task_state="failed")
    performer = Performer(handler=said)
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        outcome = await run(dispatcher)
    assert isinstance(outcome, Failed)
    assert (outcome.executed, outcome.error.code) == (True, Code.INTERNAL)


async def test_a_task_that_a_performer_says_it_did_not_start_goes_elsewhere() -> None:
    said = aborts(grpc.StatusCode.UNAVAILABLE, hourglass_task_state="not-started")
    one, two = Performer("a", said), Performer("b")
    async with (
        running(one, two),
        dispatching(one.endpoint(), two.endpoint()) as dispatcher,
    ):
        for number in range(2):  # the second goes to the one that did not get the first
            assert await run(dispatcher, number) == Completed(b"x", "b")


async def test_a_result_for_another_task_is_an_error_that_says_so() -> None:
    async def confused(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return performer_pb2.TaskResponse(task_id=b"0x99", result=b"y")

    performer = Performer(handler=confused)
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        outcome = await run(dispatcher)
    assert isinstance(outcome, Failed)
    assert (outcome.executed, outcome.error.code) == (True, Code.DATA_LOSS)
    assert "answered for task '0x99'" in str(outcome.error)


async def test_a_result_without_an_id_is_an_error_that_says_so() -> None:
    async def forgetful(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return performer_pb2.TaskResponse(result=b"y")

    performer = Performer(handler=forgetful)
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        assert "without an id" in the_error(await run(dispatcher))[1]


async def test_a_result_over_the_limit_is_an_error_with_both_sizes() -> None:
    async def verbose(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return performer_pb2.TaskResponse(task_id=request.task_id, result=bytes(1500))

    performer = Performer(handler=verbose)
    policy = DispatchPolicy(max_message_bytes=1024)
    async with (
        running(performer),
        dispatching(performer.endpoint(), policy=policy) as dispatcher,
    ):
        code, text = the_error(await run(dispatcher))
        assert code is Code.RESOURCE_EXHAUSTED
        assert "over the limit of 1024" in text
        large = await dispatcher.execute(task(2, payload=bytes(1025)), CLOCK.monotonic() + 5)
        assert isinstance(large, Failed)
        assert not large.executed
    assert len(performer.ledger) == 1


async def test_a_cancelled_execution_cancels_the_call_and_frees_its_place() -> None:
    performer = Performer(handler=never)
    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        async with asyncio.TaskGroup() as group:
            execution = group.create_task(run(dispatcher))
            await performer.began.wait()
            assert view(dispatcher).in_flight == 1
            execution.cancel()
        assert view(dispatcher).in_flight == 0
        await until(lambda: performer.cancelled)


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
        ended = {"avs": "0xabcd", "code": "OK"}
        assert registry.get_sample_value("executor_task_seconds_count", ended) == 1
        dispatcher.remove("performer")
        assert registry.get_sample_value("executor_inflight", where) is None
        assert registry.get_sample_value("executor_task_seconds_count", ended) is None
