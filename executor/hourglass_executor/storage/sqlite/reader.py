"""A second connection, for questions that may take long: the writer's thread is for tasks."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from hourglass_common.domain.errors import Code, HourglassError

from .writer import translated

T = TypeVar("T")


class Reader:
    """Asks one question after the other on a thread of its own, which begins with the first."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return the answer, of what is committed at this moment."""
        if self._closed:
            raise HourglassError(Code.UNAVAILABLE, "the store is closed", reason="STORE_CLOSED")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question)

    async def close(self) -> None:
        """Answer what was asked, then close the connection."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown()

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"{self._database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
                )
                self._connection.execute("PRAGMA busy_timeout = 5000")
            return question(self._connection)
        except sqlite3.Error as error:
            raise translated(error) from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
