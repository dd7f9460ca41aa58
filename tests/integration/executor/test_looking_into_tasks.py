"""GetTask, ListTasks, ResolveTask, Explain and Tap, over the wire, with real performers."""

import asyncio
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.api.inspection import TapLimits
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.tasks.messages import result_message_hash
from hourglass_services.inspection.servicer import INSPECTION_SERVICE
from hourglass_services.inspection.tasks import (
    ExecutorTask,
    MissedSteps,
    Opened,
    Resolved,
    StepKind,
    TaskState,
    TaskStep,
)

from tests.support.dispatching import until
from tests.support.executor_values import AVS, KEY, submission
from tests.support.performers import Performer, aborts, never, running
from tests.support.task_serving import Served, serving_tasks

SAID_FAILED = Resolved(output=None, resolved_by="ada", note="the log has no such task")
SAID_DONE = Resolved(output=b"0x10", resolved_by="ada", note="from the performer's log")


async def left_unknown(served: Served, performer: Performer, number: int = 1) -> str:
    """Submit a task whose performer dies with it; return its id."""
    waiting = asyncio.ensure_future(served.client.submit(submission(number), timeout_seconds=20))
    await asyncio.wait_for(performer.began.wait(), 10)
    await performer.crash()
    with pytest.raises(HourglassError) as unknown:
        await waiting
    assert unknown.value.reason == "TASK_OUTCOME_UNKNOWN"
    return submission(number).task_id


async def refusal(call: Any) -> HourglassError:
    with pytest.raises(HourglassError) as refused:
        await call
    return refused.value


async def test_a_task_is_shown_without_its_content_unless_that_is_asked_for() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        given = submission(payload=b"a secret")
        await served.client.submit(given, timeout_seconds=10)
        task = await served.inspection.get_task(given.task_id.upper().replace("0X", "0x"))
        assert (task.state, task.avs_address) == (TaskState.COMPLETED, AVS)
        assert (task.output, task.output_size) == (b"", 8)
        assert task.finished_at is not None
        whole = await served.inspection.get_task(given.task_id, content=True)
        assert whole.output == b"a secret"
        unknown = await refusal(served.inspection.get_task(submission(2).task_id))
        assert (unknown.code, unknown.reason) == (Code.NOT_FOUND, "TASK_NOT_FOUND")


async def test_nothing_but_get_task_tells_a_payload_or_an_output() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        async with aclosing(served.inspection.tap()) as events:
            assert isinstance(await anext(events), Opened)
            given = submission(payload=b"a secret")
            await served.client.submit(given, timeout_seconds=10)
            told: list[Any] = [await anext(events) for _ in range(3)]
        told.append(await served.inspection.list_tasks())
        told.append(await served.inspection.explain(task_id=given.task_id))
    assert "secret" not in repr(told)


async def test_tasks_are_listed_in_pages_by_avs_and_state() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        for number in range(1, 6):
            await served.client.submit(submission(number), timeout_seconds=10)
        found: list[ExecutorTask] = []
        token = ""
        for _ in range(3):
            page = await served.inspection.list_tasks(page_size=2, page_token=token)
            found += page.tasks
            token = page.next_page_token
        assert token == ""
        assert [int(task.task_id, 16) for task in found] == [5, 4, 3, 2, 1]
        upper = AVS.upper().replace("0X", "0x")
        done = await served.inspection.list_tasks(upper, [TaskState.COMPLETED])
        assert len(done.tasks) == 5
        assert (await served.inspection.list_tasks(AVS, [TaskState.UNKNOWN])).tasks == ()
        assert (await served.inspection.list_tasks("0x" + "9" * 40)).tasks == ()


async def test_a_task_resolved_as_done_gives_its_repeats_a_signed_result() -> None:
    performer = Performer(handler=never)
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        task_id = await left_unknown(served, performer)
        resolved = await served.inspection.resolve_task(task_id, SAID_DONE)
        assert resolved.state is TaskState.COMPLETED
        assert resolved.resolved is not None
        assert (resolved.resolved.resolved_by, resolved.resolved.note) == ("ada", SAID_DONE.note)
        assert await served.inspection.resolve_task(task_id, SAID_DONE) == resolved
        answer = await served.client.submit(submission(), timeout_seconds=10)
    assert answer.output == b"0x10"
    signed = EcdsaSigner(KEY).sign_for_solidity(result_message_hash(task_id, b"0x10"))
    assert answer.result_signature == signed
    assert performer.ledger == [task_id]


async def test_a_task_resolved_as_failed_says_so_to_its_repeats_and_never_runs() -> None:
    performer = Performer(handler=never)
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        task_id = await left_unknown(served, performer)
        await served.inspection.resolve_task(task_id, SAID_FAILED)
        error = await refusal(served.client.submit(submission(), timeout_seconds=10))
        assert (error.code, error.reason) == (Code.FAILED_PRECONDITION, "TASK_RESOLVED_AS_FAILED")
        assert "says ada: the log has no such task" in error.message
        other = await refusal(served.inspection.resolve_task(task_id, SAID_DONE))
        assert other.reason == "TASK_RESOLVED_OTHERWISE"
    assert performer.ledger == [task_id]


async def test_only_an_unknown_outcome_can_be_resolved() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        await served.client.submit(submission(), timeout_seconds=10)
        done = await refusal(served.inspection.resolve_task(submission().task_id, SAID_FAILED))
        assert (done.code, done.reason) == (Code.FAILED_PRECONDITION, "TASK_NOT_UNKNOWN")
        nobody = await refusal(served.inspection.resolve_task(submission(2).task_id, SAID_FAILED))
        assert nobody.code is Code.NOT_FOUND


async def test_it_is_explained_where_a_task_went_and_what_was_looked_at() -> None:
    old, new = Performer("old"), Performer("new")
    async with running(old, new):
        endpoints = (old.endpoint(), new.endpoint(role=Role.STAGED))
        async with serving_tasks(endpoints) as served:
            await served.client.submit(submission(), timeout_seconds=10)
            found = await served.inspection.explain(task_id=submission().task_id)
    assert found.verdict == f"task {submission().task_id} completed on old"
    assert [step.kind for step in found.steps] == [StepKind.SENT, StepKind.CALL_ENDED]
    sent = found.steps[0]
    assert (sent.instance, sent.endpoints) == ("old", 2)
    assert {each.instance: each.skipped for each in sent.considered} == {
        "old": "",
        "new": "Staged",
    }
    assert found.task is not None
    assert found.remembered_since is None


async def test_it_is_explained_why_a_task_was_refused_though_it_was_never_kept() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        other = "0x" + "9" * 40
        await refusal(served.client.submit(submission(avs_address=other), timeout_seconds=10))
        found = await served.inspection.explain(task_id=submission().task_id)
        assert found.task is None
        assert "was refused: AVS performer not found" in found.verdict
        assert found.steps[0].failure is not None
        assert found.steps[0].failure.code == "NOT_FOUND"
        never_seen = await refusal(served.inspection.explain(task_id=submission(7).task_id))
        assert never_seen.code is Code.NOT_FOUND


async def test_it_is_explained_what_a_task_waits_for() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        served.dispatcher.set_endpoints(AVS, "performer", ())
        waiting = asyncio.ensure_future(served.client.submit(submission(), timeout_seconds=20))
        await until(lambda: served.dispatcher.waiting().get(AVS))
        found = await served.inspection.explain(task_id=submission().task_id)
        assert found.waiting == 1
        assert "waits for an instance, as number 1: there is no instance" in found.verdict
        assert (await served.inspection.list_endpoints()).waiting == {AVS: 1}
        served.dispatcher.set_endpoints(AVS, "performer", (performer.endpoint(),))
        await waiting


async def test_of_an_avs_it_is_foreseen_what_would_become_of_a_task() -> None:
    performer = Performer()
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        fine = await served.inspection.explain(avs_address=AVS)
        assert fine.foreseen is not None
        assert (fine.foreseen.kind, fine.foreseen.instance) == (StepKind.SENT, performer.name)
        nobody = await served.inspection.explain(avs_address="0x" + "9" * 40)
        assert nobody.foreseen is not None
        assert nobody.foreseen.kind is StepKind.REFUSED
        assert "would be refused: AVS performer not found" in nobody.verdict


async def test_a_tap_tells_what_happens_to_the_tasks_of_one_avs() -> None:
    performer = Performer(handler=aborts(grpc.StatusCode.INVALID_ARGUMENT))
    async with running(performer), serving_tasks((performer.endpoint(),)) as served:
        async with aclosing(served.inspection.tap(AVS)) as events:
            assert await anext(events) == Opened(1000, 1.0)
            await refusal(served.client.submit(submission(), timeout_seconds=10))
            sent, ended, finished = [await anext(events) for _ in range(3)]
        assert isinstance(sent, TaskStep)
        assert (sent.kind, sent.instance, sent.considered) == (StepKind.SENT, performer.name, ())
        assert isinstance(ended, TaskStep)
        assert ended.failure is not None
        assert ended.failure.code == "INVALID_ARGUMENT"
        assert isinstance(finished, TaskStep)
        assert finished.state is TaskState.FAILED
        await until(lambda: served.dispatcher.decisions.taps == 0)  # it left no trace


async def test_a_reader_that_is_too_slow_is_told_what_it_missed() -> None:
    performer = Performer()
    limits = TapLimits(buffer=4)
    async with (
        running(performer),
        serving_tasks((performer.endpoint(),), taps=limits) as served,
        aclosing(served.inspection.tap()) as events,
    ):
        await anext(events)
        note = served.dispatcher.decisions.finished
        for number in range(10):  # at once: the server sends none of them meanwhile
            note(f"0x{number:064x}", AVS, "completed", 0.1, 0.0)
        told = [await anext(events) for _ in range(5)]
    assert [type(event) for event in told] == [TaskStep] * 4 + [MissedSteps]
    assert told[4] == MissedSteps(6)


async def test_only_so_many_may_watch() -> None:
    performer = Performer()
    limits = TapLimits(watchers=1)
    async with (
        running(performer),
        serving_tasks((performer.endpoint(),), taps=limits) as served,
        aclosing(served.inspection.tap()) as first,
        aclosing(served.inspection.tap()) as second,
    ):
        await anext(first)
        assert (await refusal(anext(second))).reason == "TOO_MANY_TAPS"


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("GetTask", pb.GetTaskRequest(task_id="0x12")),
        ("ListTasks", pb.ListTasksRequest(page_size=1001)),
        ("ListTasks", pb.ListTasksRequest(page_token="x")),
        ("ListTasks", pb.ListTasksRequest(states=[pb.TASK_STATE_UNSPECIFIED])),
        ("ResolveTask", pb.ResolveTaskRequest(task_id=submission().task_id)),
        (
            "ResolveTask",
            pb.ResolveTaskRequest(
                task_id=submission().task_id, resolution=pb.Resolution(failed=True, note="n")
            ),
        ),
        ("Explain", pb.ExplainRequest()),
        ("Tap", pb.TapRequest(sample_rate=1.5)),
        ("Tap", None),
        ("Explain", None),
        ("ResolveTask", None),
    ],
)
async def test_a_request_that_makes_no_sense_is_an_invalid_argument(
    method: str, request_: Any
) -> None:
    """None stands for bytes that are no message at all."""
    data = b"\xff\xff" if request_ is None else request_.SerializeToString()
    async with serving_tasks(()) as served:
        path = f"/{INSPECTION_SERVICE.full_name}/{method}"
        call: Any
        channel: Any = served.channel
        if method == "Tap":
            call = anext(aiter(channel.unary_stream(path)(data)))
        else:
            call = channel.unary_unary(path)(data)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
