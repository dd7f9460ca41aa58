"""Submitting tasks, on the real dispatcher without performers and the store in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.api.results import Identity
from hourglass_executor.api.tasks import AvsPolicy, TaskService
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.signing.ecdsa import AcceptAll, Aggregator, AggregatorTable, EcdsaSigner
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.tasks.lifecycle import TaskState

from tests.support.executor_values import AGGREGATOR, AVS, KEY, OPERATOR, accepted, submission


@asynccontextmanager
async def service(
    store: MemoryStore, *, verify: bool = False, policy: AvsPolicy | None = None
) -> AsyncIterator[TaskService]:
    clock = SystemClock()
    table = AggregatorTable((Aggregator(address=AGGREGATOR, signer=AGGREGATOR),), OPERATOR)
    async with Dispatcher(clock=clock, rng=Random(1)) as dispatcher, asyncio.TaskGroup() as group:
        dispatcher.set_endpoints(AVS, "performer", ())
        tasks = TaskService(
            identity=Identity(address=OPERATOR, signer=EcdsaSigner(KEY)),
            verifier=table if verify else AcceptAll(),
            store=store,
            dispatcher=dispatcher,
            is_served=lambda avs: avs == AVS,
            policies={AVS: policy or AvsPolicy()},
            clock=clock,
            group=group,
        )
        yield tasks
        await tasks.stop(0.01)


async def refusal(tasks: TaskService, **changes: object) -> HourglassError:
    with pytest.raises(HourglassError) as refused:
        await tasks.submit(submission(**changes))  # type: ignore[arg-type]
    return refused.value


async def test_nothing_is_stored_before_the_signature_was_verified() -> None:
    store = MemoryStore()
    async with service(store, verify=True) as tasks:
        assert (await refusal(tasks, signature=b"\1" * 65)).code is Code.PERMISSION_DENIED
    assert await store.task(submission().task_id) is None


async def test_a_task_for_an_unknown_avs_is_not_stored() -> None:
    store = MemoryStore()
    async with service(store) as tasks:
        error = await refusal(tasks, avs_address="0x" + "9" * 40)
        assert error.code is Code.NOT_FOUND
        assert "DeployArtifact" in error.hint
    assert await store.unfinished() == ()


async def test_a_caller_that_leaves_takes_its_wait_and_not_the_task() -> None:
    store = MemoryStore()
    async with service(store) as tasks:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tasks.submit(submission())
        assert tasks.in_flight == 1
        with pytest.raises(HourglassError, match="another task"):
            await tasks.submit(submission(payload=b"other"))
    (row,) = await store.unfinished()
    assert row.state is TaskState.ACCEPTED  # no performer has it: it would be resumed


async def test_a_task_that_surely_never_ran_leaves_its_id_free() -> None:
    store = MemoryStore()
    async with service(store, policy=AvsPolicy(task_timeout=0.05)) as tasks:
        error = await refusal(tasks)
        assert error.reason != "TASK_OUTCOME_UNKNOWN"
    assert await store.task(submission().task_id) is None


async def test_cancel_on_disconnect_ends_the_task_with_its_caller() -> None:
    store = MemoryStore()
    async with service(store, policy=AvsPolicy(cancel_on_disconnect=True)) as tasks:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tasks.submit(submission())
        async with asyncio.timeout(1):
            while tasks.in_flight:
                await asyncio.sleep(0)
        assert (await refusal(tasks)).reason == "TASK_OUTCOME_UNKNOWN"


async def test_fail_refuses_where_queue_would_wait() -> None:
    store = MemoryStore()
    async with service(store, policy=AvsPolicy(queue_when_none_ready=False)) as tasks:
        assert (await refusal(tasks)).code is Code.UNAVAILABLE
    assert await store.unfinished() == ()


async def test_a_restart_tells_the_same_about_a_task_that_a_performer_had() -> None:
    store = MemoryStore()
    await store.accept(accepted(state=TaskState.DISPATCHED))
    async with service(store) as tasks:
        await tasks.recover()
        for _ in range(2):
            error = await refusal(tasks)
            assert (error.code, error.reason) == (Code.ABORTED, "TASK_OUTCOME_UNKNOWN")
