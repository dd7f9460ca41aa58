"""One thread that owns the connection and commits many callers' work at once.

A caller's future resolves after the COMMIT that holds its work, so that an answer is never given
for something that a power cut could undo.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from hourglass_common.domain.errors import Code, HourglassError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

MAX_WAITING = 8192
MAX_BATCH = 512


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    done: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None


class Writer:
    """Give it ``work``; it runs in order, inside a transaction, on the connection's own thread."""

    def __init__(
        self,
        open_connection: Callable[[], sqlite3.Connection],
        committed: Callable[[int, float], None] = lambda writes, seconds: None,
    ) -> None:
        """``committed`` is told of each commit, on the writer's thread."""
        self._open = open_connection
        self._committed = committed
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self.commits = 0
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)

    async def start(self) -> None:
        """Open the database; raises what opening it raised."""
        self._thread.start()
        try:
            await self._opened
        except BaseException:
            await self._ended
            raise

    async def run(self, work: Work[T]) -> T:
        """Return what ``work`` returned, once it is on disk."""
        if self._closed:
            raise HourglassError(Code.UNAVAILABLE, "the store is closed", reason="STORE_CLOSED")
        if self._waiting >= MAX_WAITING:
            raise HourglassError(
                Code.RESOURCE_EXHAUSTED,
                f"{self._waiting} writes wait for the disk, the most allowed",
                reason="STORE_BUSY",
                retry_after=1.0,
            )
        job = _Job(work, self._loop.create_future())
        self._waiting += 1
        self._jobs.put(job)
        result: T = await job.done
        return result

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        await asyncio.shield(self._ended)

    def _serve(self) -> None:
        try:
            connection = self._open()
        except BaseException as error:
            self._tell(self._opened, None, error)
            self._tell(self._ended, None, None)
            return
        self._tell(self._opened, None, None)
        try:
            while batch := self._next_batch():
                self._commit(connection, batch)
                self._loop.call_soon_threadsafe(self._deliver, batch)
        finally:
            connection.close()
            self._tell(self._ended, None, None)

    def _next_batch(self) -> list[_Job]:
        """Return what waits, at least one job; an empty list means the end."""
        first = self._jobs.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        began = perf_counter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in batch:
                connection.execute("SAVEPOINT job")
                try:
                    job.value = job.work(connection)
                except HourglassError as error:  # this caller's own: the others go on
                    job.error = error
                    connection.execute("ROLLBACK TO job")
                connection.execute("RELEASE job")
            connection.execute("COMMIT")
            self.commits += 1
            self._committed(len(batch), perf_counter() - began)
        except Exception as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for job in batch:
                job.error = translated(error)

    def _deliver(self, batch: list[_Job]) -> None:
        self._waiting -= len(batch)
        for job in batch:
            if job.done.done():
                continue  # its caller has left
            if job.error is not None:
                job.done.set_exception(job.error)
            else:
                job.done.set_result(job.value)

    def _tell(self, future: asyncio.Future[None], value: None, error: BaseException | None) -> None:
        def tell() -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(value)

        self._loop.call_soon_threadsafe(tell)


def translated(error: Exception) -> Exception:
    """Return SQLite's failure as ours."""
    if not isinstance(error, sqlite3.Error):
        return error
    return HourglassError(
        Code.UNAVAILABLE,
        f"the store could not write: {error}",
        reason="STORE_FAILED",
        hint="check the disk that holds the data directory: space, permissions, errors",
        retry_after=1.0,
    )
