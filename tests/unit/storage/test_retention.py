"""What is dropped when, decided without a store; and the sweeping of both stores."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hourglass_executor.settings_retention import Retention as Section
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.retention import Holdings, Retention, too_many, too_old
from hourglass_executor.storage.sqlite.database import DATABASE
from hourglass_executor.storage.sqlite.store import SqliteStore
from hourglass_executor.storage.sweeper import Sweeper
from hourglass_executor.tasks.lifecycle import TaskState
from pydantic import ValidationError

from tests.support.executor_values import MOMENT, accepted, completed, failed
from tests.support.manual_clock import ManualClock

HOUR = timedelta(hours=1)


def held(ended: int, size: int = 1000, unknown: int = 0) -> Holdings:
    return Holdings(ended=ended, unknown=unknown, size=size)


def test_age_counts_from_the_end_and_unknown_outcomes_have_none() -> None:
    drop = too_old(Retention(age=3600), MOMENT, 50)
    assert (drop.ended_before, drop.unknown_before) == (MOMENT - HOUR, None)
    kept_a_day = too_old(Retention(age=3600, unknown_age=86400), MOMENT, 50)
    assert kept_a_day.unknown_before == MOMENT - 24 * HOUR


@pytest.mark.parametrize(
    ("holdings", "excess"),
    [
        (held(10), 0),
        (held(11), 1),
        (held(10, size=20_000), 5),  # half of the bytes are too many
        (held(10, unknown=10, size=20_000), 10),
        (held(0, unknown=10, size=20_000), 0),  # nothing that may go
        (held(15, size=20_000), 8),  # the larger of the two
    ],
)
def test_what_is_too_much_is_counted_in_tasks_and_in_bytes(holdings: Holdings, excess: int) -> None:
    drop = too_many(Retention(tasks=10, size=10_000), holdings, MOMENT)
    assert (0 if drop is None else drop.at_most) == excess


def test_however_many_there_are_the_youngest_stay() -> None:
    drop = too_many(Retention(tasks=1, least_age=600), held(1000), MOMENT)
    assert drop is not None
    assert drop.ended_before == MOMENT - timedelta(minutes=10)


def test_an_age_below_the_least_is_a_wrong_configuration() -> None:
    with pytest.raises(ValidationError, match="not shorter than leastAge"):
        Section(age=1.0)
    assert Section.model_validate({"age": "24h", "size": "512Mi"}).policy.size == 512 << 20


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path)
    yield made
    await made.close()


def swept(store: Store, policy: Retention, now: datetime) -> Sweeper:
    return Sweeper(store, policy, ManualClock(start=now))


async def test_a_sweep_drops_the_old_then_the_surplus(store: Store) -> None:
    for number in range(1, 301):
        await store.accept(accepted(number))
        at = MOMENT + timedelta(minutes=number)
        await store.finish(accepted(number).task_id, failed(), at)
    await store.accept(accepted(999))
    await store.finish(accepted(999).task_id, failed(TaskState.UNKNOWN), MOMENT)
    now = MOMENT + timedelta(minutes=300)
    policy = Retention(age=200 * 60, tasks=80, least_age=50 * 60)
    assert await swept(store, policy, now).sweep() == 99 + 121
    assert (await store.holdings()).ended == 80
    assert await store.task(accepted(220).task_id) is None
    assert await store.task(accepted(221).task_id) is not None
    assert await store.task(accepted(999).task_id) is not None
    strict = Retention(age=200 * 60, tasks=1, least_age=50 * 60)
    await swept(store, strict, now).sweep()
    assert (await store.holdings()).ended == 51  # those of the last 50 minutes


async def test_the_file_stops_growing_once_tasks_are_dropped(tmp_path: Path) -> None:
    """Pages of dropped tasks are used again: ten times the tasks, and the file of the first."""
    store = await SqliteStore.open(tmp_path)
    sizes: list[int] = []
    policy = Retention(age=86400, tasks=100, least_age=1)
    now = MOMENT
    for number in range(1, 2001):
        now += timedelta(seconds=10)
        task = accepted(number)
        await store.accept(task)
        await store.finish(task.task_id, completed(task, bytes(2000)), now)
        if number % 200 == 0:
            await swept(store, policy, now).sweep()
            sizes.append((await store.holdings()).size)
    await store.close()  # which moves what is in the log of writes into the file
    assert (tmp_path / DATABASE).stat().st_size < 300 * 5000
    assert max(sizes) < 1.2 * sizes[0]
