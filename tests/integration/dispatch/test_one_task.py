"""One task, from the dispatcher to a performer and back."""

import asyncio
from random import Random

import grpc
import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy

from tests.support.dispatching import (
    CLOCK,
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


# -- what is done before it is sent


async def test_what_comes_before_is_done_once_and_before_the_performer_sees_the_task() -> None:
    performer = Performer()
    seen: list[int] = []

    async def note() -> None:
        seen.append(len(performer.ledger))

    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        outcome = await dispatcher.execute(task(), CLOCK.monotonic() + 10, note)
    assert outcome == Completed(b"x", "a")
    assert seen == [0]


async def test_a_task_that_waits_in_vain_is_not_prepared() -> None:
    performer = Performer()
    seen: list[int] = []

    async def note() -> None:
        seen.append(1)

    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        await performer.report(NOT_SERVING)
        await until(lambda: view(dispatcher).skipped is not None)
        outcome = await dispatcher.execute(task(), CLOCK.monotonic() + 0.3, note)
    assert isinstance(outcome, Failed)
    assert not outcome.executed
    assert seen == []


async def test_where_the_preparation_fails_nothing_is_sent_and_the_place_is_free_again() -> None:
    performer = Performer()

    async def fail() -> None:
        raise HourglassError(Code.UNAVAILABLE, "the disk is full")

    async with running(performer), dispatching(performer.endpoint()) as dispatcher:
        with pytest.raises(HourglassError, match="the disk is full"):
            await dispatcher.execute(task(), CLOCK.monotonic() + 10, fail)
        assert view(dispatcher).in_flight == 0
    assert performer.ledger == []
