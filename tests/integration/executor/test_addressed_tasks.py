"""The headers hourglass-role and hourglass-instance of SubmitTask, over the wire."""

from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.v1 import executor_pb2_grpc
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Addressee
from hourglass_services.executor.codec import submission_to_proto

from tests.support.dispatching import until, view
from tests.support.executor_values import submission
from tests.support.performers import NOT_SERVING, Performer, running
from tests.support.task_serving import serving_tasks

STAGED = Addressee(Role.STAGED)


async def test_a_header_addresses_a_staged_instance_and_only_that_task() -> None:
    old, new = Performer("old"), Performer("new")
    async with running(old, new):
        endpoints = (old.endpoint(), new.endpoint(role=Role.STAGED))
        async with serving_tasks(endpoints) as served:
            for number in range(1, 4):
                await served.client.submit(submission(number), timeout_seconds=10)
            to_staged = submission(4, addressee=STAGED)
            answer = await served.client.submit(to_staged, timeout_seconds=10)
            assert answer.output == to_staged.payload
    assert old.ledger == [submission(number).task_id for number in range(1, 4)]
    assert new.ledger == [submission(4).task_id]


async def test_the_same_id_is_the_same_task_with_the_header_or_without() -> None:
    old, new = Performer("old"), Performer("new")
    async with running(old, new):
        endpoints = (old.endpoint(), new.endpoint(role=Role.STAGED))
        async with serving_tasks(endpoints) as served:
            first = await served.client.submit(submission(addressee=STAGED), timeout_seconds=10)
            again = await served.client.submit(submission(), timeout_seconds=10)
            kept = await served.store.task(submission().task_id)
    assert again == first
    assert (old.ledger, new.ledger) == ([], [submission().task_id])
    assert kept is not None
    assert kept.submission.addressee == STAGED


async def test_no_instance_in_service_stands_in_and_the_id_stays_free() -> None:
    old, new = Performer("old"), Performer("new")
    async with running(old, new):
        endpoints = (old.endpoint(), new.endpoint(role=Role.STAGED))
        async with serving_tasks(endpoints) as served:
            await new.report(NOT_SERVING)
            await until(lambda: view(served.dispatcher, "new").health.value == "NotServing")
            with pytest.raises(HourglassError, match="new NotServing") as refused:
                await served.client.submit(submission(addressee=STAGED), timeout_seconds=10)
            assert refused.value.code is Code.UNAVAILABLE
            assert refused.value.reason == "ADDRESSEE_NOT_READY"
            assert await served.store.task(submission().task_id) is None
            await served.client.submit(submission(), timeout_seconds=10)
    assert (old.ledger, new.ledger) == ([submission().task_id], [])


async def test_a_named_instance_gets_the_task() -> None:
    a, b = Performer("a"), Performer("b")
    async with running(a, b), serving_tasks((a.endpoint(), b.endpoint())) as served:
        for number in range(1, 5):
            to_b = submission(number, addressee=Addressee(instance="b"))
            await served.client.submit(to_b, timeout_seconds=10)
    assert (len(a.ledger), len(b.ledger)) == (0, 4)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ((("hourglass-role", "stagd"),), "'stagd' is none of staged, in-service"),
        ((("hourglass-role", "draining"),), "is none of"),
        ((("hourglass-role", "staged"), ("hourglass-role", "in-service")), "give it once"),
        ((("hourglass-instance", ""),), "1 to 253"),
        ((("hourglass-instance", "x" * 254),), "1 to 253"),
    ],
)
async def test_a_header_that_is_not_understood_is_refused_and_runs_nothing(
    headers: tuple[tuple[str, str], ...], said: str
) -> None:
    only = Performer("only")
    async with running(only), serving_tasks((only.endpoint(),)) as served:
        stub: Any = executor_pb2_grpc.ExecutorServiceStub(served.channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.SubmitTask(submission_to_proto(submission()), metadata=headers, timeout=10)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in (refused.value.details() or "")
    assert only.ledger == []
