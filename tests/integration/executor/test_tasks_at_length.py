"""Tasks through the whole of an executor but its deployers: wire, guard, store, dispatcher.

The performer's ledger is the judge: it has a line for each execution that began.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.signing.ecdsa import Aggregator, AggregatorTable, EcdsaSigner
from hourglass_executor.signing.port import Verifier
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.sqlite.store import SqliteStore
from hourglass_executor.tasks.lifecycle import TaskEnd, TaskRecord
from hourglass_executor.tasks.messages import submission_message
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import Submission
from hourglass_services.executor.servicer import EXECUTOR_SERVICE, ExecutorServicer
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.server import RpcServer, serving

from tests.support.cutting_proxy import CuttingProxy, Direction, cutting_proxy, frame_ends
from tests.support.executor_values import AGGREGATOR, AGGREGATOR_KEY, KEY, OPERATOR, submission
from tests.support.performers import Context, Performer, running
from tests.support.task_service import task_service

Answer = Callable[[performer_pb2.TaskRequest, Context], Awaitable[performer_pb2.TaskResponse]]


@asynccontextmanager
async def executor(
    endpoints: Sequence[Endpoint],
    *,
    store: Store | None = None,
    verifier: Verifier | None = None,
    dispatch: DispatchPolicy | None = None,
) -> AsyncIterator[ExecutorClient]:
    async with task_service(
        store or MemoryStore(), endpoints, verifier=verifier, dispatch=dispatch
    ) as (tasks, _):
        server = RpcServer([(EXECUTOR_SERVICE, ExecutorServicer(tasks))])
        async with (
            serving(server, "127.0.0.1:0", flag="-", grace_seconds=1) as port,
            open_channel(f"127.0.0.1:{port}") as channel,
        ):
            yield ExecutorClient(channel)


async def refusal(client: ExecutorClient, given: Submission, seconds: float = 10) -> HourglassError:
    with pytest.raises(HourglassError) as refused:
        await client.submit(given, timeout_seconds=seconds)
    return refused.value


def signed(given: Submission, key: str = AGGREGATOR_KEY) -> Submission:
    from dataclasses import replace

    signature = EcdsaSigner(key).sign_message(submission_message(given, OPERATOR))
    return replace(given, signature=signature)


async def test_a_task_of_25_s_and_a_caller_of_10_s_attempts_and_five_repeats(
    tmp_path: Path, full: bool
) -> None:
    scale = 1.0 if full else 0.05  # 1.25 s, and attempts of half a second

    async def slow(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        await asyncio.sleep(25 * scale)
        return performer_pb2.TaskResponse(task_id=request.task_id, result=b"done")

    performer = Performer(handler=slow)
    store = await SqliteStore.open(tmp_path)
    try:
        async with running(performer), executor([performer.endpoint()], store=store) as client:
            ends: list[object] = []
            for _ in range(5):
                try:
                    ends.append(await client.submit(submission(), timeout_seconds=10 * scale))
                except HourglassError as error:
                    ends.append(error.code)
            assert ends[:2] == [Code.DEADLINE_EXCEEDED] * 2
            results = [end for end in ends if not isinstance(end, Code)]
            assert len(results) >= 2
            assert {repr(result) for result in results} == {repr(results[0])}
            assert results[0].output == b"done"  # type: ignore[attr-defined]
    finally:
        await store.close()
    assert performer.ledger == [submission().task_id]


async def test_the_same_id_with_other_content_is_refused_and_shows_nothing() -> None:
    release = asyncio.Event()

    async def waits(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        await release.wait()
        return performer_pb2.TaskResponse(task_id=request.task_id, result=b"canary-output")

    performer = Performer(handler=waits)
    others = [
        submission(payload=b"other"),
        submission(operator_set_id=9),
        submission(reference_timestamp=1),
        submission(task_block_number=2),
        submission(aggregator_address=OPERATOR),
    ]
    async with running(performer), executor([performer.endpoint()]) as client:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(
                client.submit(submission(payload=b"canary-input"), timeout_seconds=10)
            )
            await performer.began.wait()
            for other in others:
                error = await refusal(client, other)
                assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "TASK_ID_REUSED")
                assert "already processed" in error.message
            release.set()
        assert first.result().output == b"canary-output"
        for other in others:
            error = await refusal(client, other)
            assert error.code is Code.ALREADY_EXISTS
            assert "canary" not in f"{error} {error.metadata}"
    assert performer.ledger == [submission().task_id]


class RecordingStore(MemoryStore):
    """The store in memory, with the writes of tasks in ``events``."""

    def __init__(self, events: list[str]) -> None:
        super().__init__()
        self._events = events

    async def accept(self, task: TaskRecord) -> TaskRecord:
        self._events.append("accept")
        await asyncio.sleep(0)
        return await super().accept(task)

    async def finish(self, task_id: str, end: TaskEnd, finished_at: datetime) -> None:
        self._events.append("finish")
        await super().finish(task_id, end, finished_at)


class RecordingVerifier(AggregatorTable):
    def __init__(self, events: list[str]) -> None:
        super().__init__((Aggregator(address=AGGREGATOR, signer=AGGREGATOR),), OPERATOR)
        self._events = events

    def verify(self, submission: Submission) -> None:
        try:
            super().verify(submission)
        except HourglassError:
            self._events.append("refused")
            raise
        self._events.append("verified")


async def test_nothing_is_accepted_before_it_is_verified() -> None:
    events: list[str] = []

    async def noted(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        events.append("executed")
        return performer_pb2.TaskResponse(task_id=request.task_id, result=b"x")

    performer = Performer(handler=noted)
    store, verifier = RecordingStore(events), RecordingVerifier(events)
    async with (
        running(performer),
        executor([performer.endpoint()], store=store, verifier=verifier) as client,
    ):
        for bad in (
            submission(),
            signed(submission(), KEY),
            submission(signature=signed(submission(2)).signature),
        ):
            error = await refusal(client, bad)
            assert error.code is Code.PERMISSION_DENIED
            assert error.message.startswith("signature validation failed: ")
        assert events == ["refused"] * 3
        events.clear()
        good = signed(submission())
        await client.submit(good, timeout_seconds=10)
        assert events == ["verified", "accept", "executed", "finish"]
        # A repeat is verified as well, before anything is told of the result.
        assert (await refusal(client, submission())).code is Code.PERMISSION_DENIED
        await client.submit(good, timeout_seconds=10)
        assert events[4:] == ["refused", "verified"]


# -- performers that answer with what is no answer


def answers(*, task_id: bytes | None = None, result: bytes = b"x") -> Answer:
    async def handler(
        request: performer_pb2.TaskRequest, context: Context
    ) -> performer_pb2.TaskResponse:
        return performer_pb2.TaskResponse(
            task_id=request.task_id if task_id is None else task_id, result=result
        )

    return handler


BAD_ANSWERS: list[tuple[Answer, Code, str]] = [
    (answers(task_id=b"0x99"), Code.DATA_LOSS, "it answered for task '0x99'"),
    (answers(task_id=b""), Code.DATA_LOSS, "it answered for task without an id"),
    (answers(task_id=b"\xff" * 500), Code.DATA_LOSS, "it answered for task"),
    (answers(result=bytes(1500)), Code.RESOURCE_EXHAUSTED, "is over the limit of 1024"),
]


@pytest.mark.parametrize(("handler", "code", "text"), BAD_ANSWERS, ids=[t for *_, t in BAD_ANSWERS])
async def test_an_answer_that_is_none_is_told_as_that_and_the_task_is_not_run_again(
    handler: Answer, code: Code, text: str
) -> None:
    one, two = Performer("a", handler), Performer("b", handler)
    limit = DispatchPolicy(max_message_bytes=1024)
    async with (
        running(one, two),
        executor([one.endpoint(), two.endpoint()], dispatch=limit) as client,
    ):
        for _ in range(2):
            error = await refusal(client, submission())
            assert (error.code, error.reason) == (code, "BAD_PERFORMER_ANSWER")
            assert text in error.message
    assert one.ledger + two.ledger == [submission().task_id]


async def test_a_payload_over_the_performers_limit_is_refused_and_its_id_is_free_again() -> None:
    performer = Performer()
    limit = DispatchPolicy(max_message_bytes=1024)
    async with (
        running(performer),
        executor([performer.endpoint()], dispatch=limit) as client,
    ):
        error = await refusal(client, submission(payload=bytes(1025)))
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "TASK_TOO_LARGE")
        assert (await client.submit(submission(), timeout_seconds=10)).output == b"0x4"
    assert performer.ledger == [submission().task_id]


# -- the connection to the performer is cut


def cuts_of(seen: bytes) -> list[int]:
    """Return where to cut: before the first byte, in and after each frame."""
    ends = frame_ends(seen)
    starts = [0, *ends[:-1]]
    middles = [(start + end) // 2 for start, end in zip(starts, ends, strict=True)]
    return sorted({0, *middles, *ends})


async def submitted(client: ExecutorClient, number: int) -> object:
    given = submission(number, payload=bytes(3000))
    try:
        return (await client.submit(given, timeout_seconds=20)).output
    except HourglassError as error:
        return error.code, error.reason


async def cuts(proxy: CuttingProxy, client: ExecutorClient) -> list[tuple[Direction, int]]:
    await submitted(client, 1)
    proxy.arm()
    assert await submitted(client, 2) == bytes(3000)
    proxy.armed = False
    directions: tuple[Direction, Direction] = ("up", "down")
    return [(way, size) for way in directions for size in cuts_of(bytes(proxy.seen[way]))]


async def test_a_cut_at_any_frame_leaves_one_line_at_most_and_one_answer(tmp_path: Path) -> None:
    performer = Performer()
    store = await SqliteStore.open(tmp_path)
    try:
        async with running(performer), cutting_proxy(performer.port) as proxy:
            endpoint = performer.endpoint(port=proxy.port)
            async with executor([endpoint], store=store) as client:
                unknown = 0
                where = await cuts(proxy, client)
                assert len(where) >= 10
                for number, (direction, size) in enumerate(where, start=3):
                    await submitted(client, 1000 + number)  # the connection is there again
                    performer.ledger.clear()
                    proxy.arm(direction, size)
                    first = await submitted(client, number)
                    proxy.armed = False
                    told = f"cut after {size} bytes {direction}: {str(first)[:80]}"
                    assert len(performer.ledger) <= 1, told
                    if first == (Code.ABORTED, "TASK_OUTCOME_UNKNOWN"):
                        unknown += 1
                    else:
                        assert first == bytes(3000), told
                    # The same again is the same answer, and nothing runs for it.
                    assert await submitted(client, number) == first, told
                    assert len(performer.ledger) <= 1, told
                assert proxy.cuts >= len(where) // 2
                assert unknown >= 2
    finally:
        await store.close()
