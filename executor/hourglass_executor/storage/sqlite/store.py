"""The durable store: SQLite in WAL mode, written by one thread with group commit."""

import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from hourglass_executor.deployers.deployment import DeploymentRecord
from hourglass_executor.storage.listing import TaskFilter, TaskPage
from hourglass_executor.storage.retention import Drop, Holdings
from hourglass_executor.storage.rules import dispatched, finished, not_found, resolved
from hourglass_executor.tasks.lifecycle import Resolution, TaskEnd, TaskRecord

from .database import DATABASE, claim, open_database
from .history import TASK, drop_ended, holdings, page
from .reader import Reader
from .rows import (
    END_COLUMNS,
    deployment_from_row,
    deployment_to_row,
    end_to_row,
    task_from_row,
    task_to_row,
)
from .writer import Writer

_ACCEPT = (
    f"INSERT INTO tasks ({TASK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
    "ON CONFLICT (task_id) DO NOTHING"
)
_DEPLOYMENT = "performer_id, avs, state, deployment, handle, created_at"


class SqliteStore:
    """Implements ``Store`` in a directory that it holds alone; made by ``open``."""

    def __init__(self, lock: int, writer: Writer, reader: Reader) -> None:
        self._lock = lock
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(
        cls,
        directory: Path,
        committed: Callable[[int, float], None] = lambda writes, seconds: None,
    ) -> Self:
        """``committed`` is told of the writes and seconds of each commit, on another thread.

        FAILED_PRECONDITION if another process holds ``directory`` or its schema is newer;
        DATA_LOSS if the database is damaged."""
        lock = claim(directory)
        writer = Writer(lambda: open_database(directory), committed)
        try:
            await writer.start()
        except BaseException:
            os.close(lock)
            raise
        return cls(lock, writer, Reader(directory / DATABASE))

    @property
    def commits(self) -> int:
        """How many transactions were committed: fewer than writes where callers share one."""
        return self._writer.commits

    async def accept(self, task: TaskRecord) -> TaskRecord:
        def work(connection: sqlite3.Connection) -> TaskRecord:
            if connection.execute(_ACCEPT, task_to_row(task)).rowcount:
                return task
            return _must_read(connection, task.task_id)

        return await self._writer.run(work)

    async def mark_dispatched(self, task_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            row = dispatched(_must_read(connection, task_id))
            connection.execute(
                "UPDATE tasks SET state = ? WHERE task_id = ?", (row.state.value, task_id)
            )

        await self._writer.run(work)

    async def finish(self, task_id: str, end: TaskEnd, finished_at: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _end(connection, finished(_must_read(connection, task_id), end, finished_at))

        await self._writer.run(work)

    async def resolve(self, task_id: str, end: TaskEnd, resolution: Resolution) -> TaskRecord:
        def work(connection: sqlite3.Connection) -> TaskRecord:
            row = resolved(_must_read(connection, task_id), end, resolution)
            _end(connection, row)
            return row

        return await self._writer.run(work)

    async def list_tasks(self, wanted: TaskFilter, before: int, at_most: int) -> TaskPage:
        return await self._reader.ask(lambda connection: page(connection, wanted, before, at_most))

    async def holdings(self) -> Holdings:
        return await self._reader.ask(holdings)

    async def drop_ended(self, drop: Drop) -> int:
        return await self._writer.run(lambda connection: drop_ended(connection, drop))

    async def forget(self, task_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tasks WHERE task_id = ?", (task_id,))

        await self._writer.run(work)

    async def task(self, task_id: str) -> TaskRecord | None:
        return await self._writer.run(lambda connection: _read(connection, task_id))

    async def unfinished(self) -> tuple[TaskRecord, ...]:
        def work(connection: sqlite3.Connection) -> tuple[TaskRecord, ...]:
            rows = connection.execute(
                f"SELECT {TASK} FROM tasks WHERE state IN ('accepted', 'dispatched') "  # noqa: S608
                "ORDER BY accepted_at, rowid"
            )
            return tuple(map(task_from_row, rows))

        return await self._writer.run(work)

    async def put_deployment(self, record: DeploymentRecord, *, replaces: str = "") -> None:
        def work(connection: sqlite3.Connection) -> None:
            if replaces:
                connection.execute("DELETE FROM deployments WHERE performer_id = ?", (replaces,))
            connection.execute(
                f"INSERT INTO deployments ({_DEPLOYMENT}) VALUES (?, ?, ?, ?, ?, ?) "  # noqa: S608
                "ON CONFLICT (performer_id) DO UPDATE SET avs = excluded.avs, "
                "state = excluded.state, deployment = excluded.deployment, "
                "handle = excluded.handle, created_at = excluded.created_at",
                deployment_to_row(record),
            )

        await self._writer.run(work)

    async def drop_deployment(self, performer_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM deployments WHERE performer_id = ?", (performer_id,))

        await self._writer.run(work)

    async def deployments(self) -> tuple[DeploymentRecord, ...]:
        def work(connection: sqlite3.Connection) -> tuple[DeploymentRecord, ...]:
            rows = connection.execute(f"SELECT {_DEPLOYMENT} FROM deployments ORDER BY rowid")  # noqa: S608
            return tuple(map(deployment_from_row, rows))

        return await self._writer.run(work)

    async def close(self) -> None:
        if self._lock < 0:
            return
        try:
            await self._reader.close()
            await self._writer.close()
        finally:
            lock, self._lock = self._lock, -1
            os.close(lock)


def _read(connection: sqlite3.Connection, task_id: str) -> TaskRecord | None:
    row = connection.execute(
        f"SELECT {TASK} FROM tasks WHERE task_id = ?",  # noqa: S608
        (task_id,),
    ).fetchone()
    return None if row is None else task_from_row(row)


def _must_read(connection: sqlite3.Connection, task_id: str) -> TaskRecord:
    row = _read(connection, task_id)
    if row is None:
        raise not_found(task_id)
    return row


def _end(connection: sqlite3.Connection, task: TaskRecord) -> None:
    """Write the end of a task into its row, which keeps its place in the order of acceptance."""
    connection.execute(f"UPDATE tasks SET {END_COLUMNS} WHERE task_id = ?", end_to_row(task))  # noqa: S608
