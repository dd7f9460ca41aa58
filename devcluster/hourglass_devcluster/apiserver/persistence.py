"""The store on disk: one SQLite row for each object, one for the last version."""

import sqlite3
from pathlib import Path

import orjson
from hourglass_common.domain.errors import Code, HourglassError

from hourglass_devcluster.model.store import Change, Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    storage TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (storage, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER);
"""
_FIRST_VERSION = 100  # low ones belong to nobody: to resume from "1" is a mistake, and is told
# With synchronous=NORMAL the last commits may be missing after a power cut. Versions after a
# start begin this far ahead, so that none that was given out is ever given out again.
_SKIPPED_AT_START = 10_000


class Database:
    """Keeps what the store says it changed, in the order in which it changed.

    Write-ahead log with ``synchronous=NORMAL``: a commit survives the end of the process in any
    way, which is what a development cluster needs; only a power cut may lose the last of them.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file; None keeps everything in memory only.

        FAILED_PRECONDITION if another process has it open, or if it is none of ours.
        """
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0.5)
        try:
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
        except sqlite3.DatabaseError as exc:
            self._connection.close()
            raise _unusable(path, exc) from exc

    def load(self) -> Store:
        """Return the store as the last run left it."""
        row = self._connection.execute("SELECT version FROM versions").fetchone()
        if row is None:
            return Store(version=_FIRST_VERSION)
        store = Store(version=row[0] + _SKIPPED_AT_START, remembered_since=row[0])
        for storage, body in self._connection.execute("SELECT storage, body FROM objects"):
            store.load(storage, orjson.loads(body))
        return store

    def keep(self, change: Change) -> None:
        """Commit one change. INTERNAL if the disk refuses it."""
        try:
            self._commit(change)
        except sqlite3.Error as exc:
            raise HourglassError(
                Code.INTERNAL,
                f"the change can not be kept on disk: {exc}",
                reason="STORAGE_FAILED",
                hint="free space in the data directory, then restart the dev cluster",
            ) from exc

    def _commit(self, change: Change) -> None:
        namespace, name = change.key
        with self._connection:
            self._connection.execute("BEGIN")
            if change.type == "DELETED":
                self._connection.execute(
                    "DELETE FROM objects WHERE storage = ? AND namespace = ? AND name = ?",
                    (change.storage, namespace, name),
                )
            else:
                self._connection.execute(
                    "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)",
                    (change.storage, namespace, name, orjson.dumps(change.new)),
                )
            self._connection.execute(
                "INSERT OR REPLACE INTO versions VALUES (1, ?)", (change.version,)
            )

    def close(self) -> None:
        self._connection.close()


def _unusable(path: Path | None, exc: sqlite3.DatabaseError) -> HourglassError:
    is_locked = getattr(exc, "sqlite_errorname", "").startswith("SQLITE_BUSY")
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"{path} is in use by another process" if is_locked else f"{path} can not be used: {exc}",
        reason="DATA_DIR_IN_USE" if is_locked else "DATA_DIR_UNUSABLE",
        hint="stop the other dev cluster, or give another data directory"
        if is_locked
        else "give another data directory, or start with a fresh one",
    )
