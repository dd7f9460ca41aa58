"""What every store promises: one suite, for the one in memory and the one on disk."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.deployers.deployment import DeploymentState
from hourglass_executor.storage.listing import TaskFilter
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.retention import Drop
from hourglass_executor.storage.sqlite.store import SqliteStore
from hourglass_executor.tasks.lifecycle import Resolution, TaskEnd, TaskState
from hourglass_services.executor.port import EnvironmentVariable, KeyReference

from tests.support.executor_values import (
    AVS,
    MOMENT,
    accepted,
    completed,
    deployment,
    failed,
    record,
)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path)
    yield made
    await made.close()


async def test_an_accepted_task_is_found_again_with_all_it_had(store: Store) -> None:
    task = accepted(payload=b"\x00\xff", signature=b"\x80\x01")
    assert await store.accept(task) == task
    assert await store.task(task.task_id) == task
    assert await store.unfinished() == (task,)


async def test_the_first_task_under_an_id_stays(store: Store) -> None:
    first, second = accepted(), accepted(payload=b"other")
    await store.accept(first)
    assert await store.accept(second) == first
    assert await store.task(first.task_id) == first


async def test_an_ended_task_keeps_its_result_and_loses_its_payload(store: Store) -> None:
    task = accepted()
    await store.accept(task)
    await store.mark_dispatched(task.task_id)
    end = completed(task, output=b"\x00\xfe")
    await store.finish(task.task_id, end, MOMENT)
    found = await store.task(task.task_id)
    assert found is not None
    assert (found.state, found.result, found.finished_at) == (end.state, end.result, MOMENT)
    assert found.submission.payload == b""
    assert found.digest == task.digest
    assert await store.unfinished() == ()


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.UNKNOWN])
async def test_an_error_is_kept_whole(store: Store, state: TaskState) -> None:
    task = accepted()
    await store.accept(task)
    await store.finish(task.task_id, failed(state), MOMENT)
    found = await store.task(task.task_id)
    assert found is not None
    assert found.error == failed(state).error
    assert found.state is state


async def test_the_first_end_stands(store: Store) -> None:
    task = accepted()
    await store.accept(task)
    await store.finish(task.task_id, completed(task), MOMENT)
    for attempt in (
        store.finish(task.task_id, failed(), MOMENT),
        store.mark_dispatched(task.task_id),
    ):
        with pytest.raises(HourglassError) as refused:
            await attempt
        assert refused.value.code is Code.FAILED_PRECONDITION
    found = await store.task(task.task_id)
    assert found is not None
    assert found.state is TaskState.COMPLETED


async def test_a_result_kept_without_signatures_can_get_them_and_nothing_else(
    store: Store,
) -> None:
    task = accepted()
    await store.accept(task)
    signed = completed(task)
    assert signed.result is not None
    bare = replace(signed.result, result_signature=b"", auth_signature=b"")
    await store.finish(task.task_id, TaskEnd(state=TaskState.COMPLETED, result=bare), MOMENT)
    for other in (completed(task, b"another output"), failed(), failed(TaskState.UNKNOWN)):
        with pytest.raises(HourglassError, match="already ended"):
            await store.finish(task.task_id, other, MOMENT)
    await store.finish(task.task_id, signed, MOMENT)
    kept = await store.task(task.task_id)
    assert kept is not None
    assert kept.result == signed.result
    with pytest.raises(HourglassError, match="already ended"):
        await store.finish(task.task_id, signed, MOMENT)


async def test_a_task_that_was_never_accepted_can_not_end(store: Store) -> None:
    with pytest.raises(HourglassError) as refused:
        await store.finish("0x1", failed(), MOMENT)
    assert refused.value.code is Code.NOT_FOUND


async def test_a_forgotten_id_can_be_used_again(store: Store) -> None:
    await store.accept(accepted())
    await store.forget(accepted().task_id)
    other = accepted(payload=b"other")
    assert await store.accept(other) == other


async def test_one_bad_write_does_not_spoil_its_neighbours(store: Store) -> None:
    tasks = [accepted(number) for number in range(1, 40)]
    results = await asyncio.gather(
        *(store.accept(task) for task in tasks),
        store.finish("0xnone", failed(), MOMENT),
        return_exceptions=True,
    )
    assert isinstance(results[-1], HourglassError)
    assert list(await store.unfinished()) == tasks


async def test_a_deployment_keeps_its_environment_and_handle(store: Store) -> None:
    environment = (
        EnvironmentVariable(name="A", value="1"),
        EnvironmentVariable(name="B", value_from_env="HOME"),
        EnvironmentVariable(name="C", secret=KeyReference(name="s", key="k")),
        EnvironmentVariable(name="D", config_map=KeyReference(name="m", key="k")),
    )
    kept = record(environment=environment, service_account="runner", replicas=3)
    await store.put_deployment(kept)
    assert await store.deployments() == (kept,)
    moved = replace(kept, handle="other", state=DeploymentState.RETIRING)
    await store.put_deployment(moved)
    assert await store.deployments() == (moved,)


async def test_a_deployment_replaces_another_in_one_step(store: Store) -> None:
    await store.put_deployment(record("old"))
    await store.put_deployment(record("new"), replaces="old")
    assert [one.deployment for one in await store.deployments()] == [deployment("new")]
    await store.drop_deployment("new")
    await store.drop_deployment("never there")
    assert await store.deployments() == ()


# -- looked at by people


async def test_a_list_has_pages_newest_first_and_no_content(store: Store) -> None:
    for number in range(1, 8):
        await store.accept(accepted(number))
    await store.finish(accepted(3).task_id, completed(accepted(3)), MOMENT)  # moves nothing
    seen: list[str] = []
    before = 0
    while True:
        page = await store.list_tasks(TaskFilter(), before, 3)
        seen += [task.task_id for task in page.tasks]
        assert all(not task.submission.payload for task in page.tasks)
        assert all(not task.result.output for task in page.tasks if task.result)
        if before == 0:  # one that comes meanwhile is on a page that was turned already
            await store.accept(accepted(99))
        before = page.before
        if not before:
            break
    assert seen == [accepted(number).task_id for number in range(7, 0, -1)]


async def test_a_list_knows_avs_and_state(store: Store) -> None:
    other = "0x" + "9" * 40
    for number, avs in ((1, AVS), (2, other), (3, AVS)):
        await store.accept(accepted(number, avs_address=avs))
    await store.finish(accepted(3).task_id, failed(), MOMENT)

    async def found(avs: str = "", *states: TaskState) -> list[int]:
        wanted = TaskFilter(avs=avs, states=frozenset(states))
        page = await store.list_tasks(wanted, 0, 10)
        return [int(task.task_id, 16) for task in page.tasks]

    assert await found(AVS) == [3, 1]
    assert await found("", TaskState.ACCEPTED) == [2, 1]
    assert await found(AVS, TaskState.FAILED, TaskState.UNKNOWN) == [3]


# -- resolved by hand

RESOLUTION = Resolution(by="ada", note="the log says so", at=MOMENT + timedelta(hours=1))


async def test_what_somebody_said_of_an_unknown_outcome_is_kept_and_stands(store: Store) -> None:
    task = accepted()
    await store.accept(task)
    await store.finish(task.task_id, failed(TaskState.UNKNOWN), MOMENT)
    first = await store.resolve(task.task_id, completed(task), RESOLUTION)
    assert first.state is TaskState.COMPLETED
    assert first.result == completed(task).result
    assert first.error is None
    assert first.resolution == replace(RESOLUTION, unknown_since=MOMENT)
    again = replace(RESOLUTION, by="bob")
    assert await store.resolve(task.task_id, completed(task), again) == first
    assert await store.task(task.task_id) == first
    for other in (failed(), completed(task, b"else")):
        with pytest.raises(HourglassError) as refused:
            await store.resolve(task.task_id, other, again)
        assert refused.value.reason == "TASK_RESOLVED_OTHERWISE"


async def test_only_an_unknown_outcome_can_be_resolved(store: Store) -> None:
    await store.accept(accepted(1))
    await store.accept(accepted(2))
    await store.finish(accepted(2).task_id, failed(), MOMENT)
    reasons: list[str] = []
    for number in (1, 2, 3):
        with pytest.raises(HourglassError) as refused:
            await store.resolve(accepted(number).task_id, failed(), RESOLUTION)
        reasons.append(refused.value.reason)
    assert reasons == ["TASK_NOT_UNKNOWN", "TASK_NOT_UNKNOWN", "TASK_NOT_FOUND"]


# -- forgotten in the end


async def test_the_longest_ended_go_first_and_no_more_than_asked(store: Store) -> None:
    for number, minutes in ((1, 3), (2, 1), (3, 2), (4, 0)):
        await store.accept(accepted(number))
        await store.finish(accepted(number).task_id, failed(), MOMENT + timedelta(minutes=minutes))
    drop = Drop(ended_before=MOMENT + timedelta(minutes=3), at_most=2)
    assert await store.drop_ended(drop) == 2
    assert [await store.task(accepted(n).task_id) is not None for n in (1, 2, 3, 4)] == [
        True,
        False,
        True,
        False,
    ]
    assert await store.drop_ended(drop) == 1
    assert await store.drop_ended(drop) == 0


async def test_neither_running_tasks_nor_unknown_outcomes_are_dropped(store: Store) -> None:
    await store.accept(accepted(1))
    await store.accept(accepted(2))
    await store.finish(accepted(2).task_id, failed(TaskState.UNKNOWN), MOMENT)
    later = MOMENT + timedelta(days=1)
    assert await store.drop_ended(Drop(ended_before=later, at_most=9)) == 0
    held = await store.holdings()
    assert (held.ended, held.unknown) == (0, 1)
    assert held.size > 0
    assert await store.drop_ended(Drop(ended_before=later, at_most=9, unknown_before=later)) == 1
    assert await store.unfinished() == (accepted(1),)
