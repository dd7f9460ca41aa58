"""The durable store's own promises: files, locks, versions, group commit."""

import asyncio
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.storage.metrics import StoreMetrics
from hourglass_executor.storage.sqlite.database import DATABASE
from hourglass_executor.storage.sqlite.store import SqliteStore
from prometheus_client import CollectorRegistry

from tests.support.executor_values import accepted, record


async def test_a_second_owner_of_the_data_directory_is_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    with pytest.raises(HourglassError, match="another executor") as refused:
        await SqliteStore.open(tmp_path)
    assert refused.value.code is Code.FAILED_PRECONDITION
    assert "dataDir" in refused.value.hint
    await store.close()
    await (await SqliteStore.open(tmp_path)).close()


async def test_the_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    store = await SqliteStore.open(directory)
    await store.accept(accepted())
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    await store.close()


async def test_a_schema_from_the_future_is_refused_untouched(tmp_path: Path) -> None:
    await (await SqliteStore.open(tmp_path)).close()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HourglassError, match="schema version 99"):
        await SqliteStore.open(tmp_path)


async def test_a_damaged_file_is_data_loss(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"this is no database" * 100)
    with pytest.raises(HourglassError) as refused:
        await SqliteStore.open(tmp_path)
    assert refused.value.code is Code.DATA_LOSS


async def test_many_callers_share_a_commit(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    before = store.commits
    await asyncio.gather(*(store.accept(accepted(number)) for number in range(200)))
    assert store.commits - before < 50
    await store.close()


async def test_commits_are_told_with_their_writes_and_their_time(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    store = await SqliteStore.open(tmp_path, StoreMetrics(registry).committed)
    await asyncio.gather(*(store.accept(accepted(number)) for number in range(200)))
    await store.close()
    name = "executor_store_commit"
    assert registry.get_sample_value(f"{name}_seconds_count") == store.commits
    assert registry.get_sample_value(f"{name}_writes_count") == store.commits
    assert registry.get_sample_value(f"{name}_writes_sum") == 200
    assert 0 < (registry.get_sample_value(f"{name}_seconds_sum") or 0) < 60


async def test_what_was_acknowledged_is_in_the_files_at_that_moment(tmp_path: Path) -> None:
    """A copy of the files, taken without any goodbye, is what a killed process leaves."""
    store = await SqliteStore.open(tmp_path / "live")
    tasks = [accepted(number) for number in range(5)]
    for number, task in enumerate(tasks):
        await store.accept(task)
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(tmp_path / "live", copy)
        found = await SqliteStore.open(copy)
        assert list(await found.unfinished()) == tasks[: number + 1]
        await found.close()
    await store.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    await store.put_deployment(record())
    await store.close()
    await store.close()
    with pytest.raises(HourglassError, match="closed"):
        await store.deployments()
