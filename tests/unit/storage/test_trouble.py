"""The durable store where the disk is full, the power goes, or somebody else holds a lock."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.storage.sqlite.database import DATABASE
from hourglass_executor.storage.sqlite.store import SqliteStore

from tests.support.executor_values import MOMENT, accepted, completed

WAL = f"{DATABASE}-wal"
SECTOR = 512


async def test_power_that_goes_at_any_byte_of_the_log_takes_nothing_acknowledged(
    tmp_path: Path, full: bool
) -> None:
    """What was written after the last sync may be there, in part or not at all."""
    live = tmp_path / "live"
    store = await SqliteStore.open(live)
    synced: list[int] = []
    for number in range(1, 13):
        await store.accept(accepted(number))
        synced.append((live / WAL).stat().st_size)
    files = {name: (live / name).read_bytes() for name in (DATABASE, WAL)}
    await store.close()
    log = files[WAL]
    cuts = sorted({*range(0, len(log), SECTOR if full else 7 * SECTOR), *synced, len(log)})
    for cut in cuts:
        place = tmp_path / f"cut-{cut}"
        place.mkdir()
        (place / DATABASE).write_bytes(files[DATABASE])
        (place / WAL).write_bytes(log[:cut] + bytes(SECTOR if cut < len(log) else 0))
        found = await SqliteStore.open(place)
        kept = {task.task_id for task in await found.unfinished()}
        await found.close()
        with sqlite3.connect(place / DATABASE) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        acknowledged = sum(size <= cut for size in synced)
        assert kept >= {accepted(number).task_id for number in range(1, acknowledged + 1)}
        shutil.rmtree(place)


async def test_a_full_disk_refuses_work_and_is_over_by_itself(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    held = accepted(1, payload=b"x" * 100)
    await store.accept(held)

    async def at_most(pages: int) -> None:
        await store._writer.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())

    await at_most(1)
    big = accepted(2, payload=bytes(1 << 20))
    with pytest.raises(HourglassError) as refused:
        await store.accept(big)
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.retry_after is not None
    assert await store.task(big.task_id) is None
    await store.finish(held.task_id, completed(held), MOMENT)  # what fits goes on
    await at_most(100_000)
    assert await store.accept(big) is big
    await store.close()


async def test_a_write_waits_for_a_lock_that_somebody_else_holds(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        waits = group.create_task(store.accept(accepted()))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert loop.time() - began < 1.0  # the loop runs on
        assert not waits.done()
        other.execute("ROLLBACK")
        other.close()
    assert waits.result() == accepted()
    await store.close()


async def test_the_log_does_not_grow_with_the_tasks(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    for number in range(400):
        task = accepted(number, payload=bytes(20_000))
        await store.accept(task)
        await store.finish(task.task_id, completed(task), MOMENT)
    assert (tmp_path / WAL).stat().st_size < 16 << 20  # of about 24 MB that were written
    await store.close()
