"""The data directory: one owner, private files, a schema of a known version."""

import fcntl
import os
import sqlite3
from importlib.resources import files
from pathlib import Path

from hourglass_common.domain.errors import Code, HourglassError

DATABASE = "executor.db"
LOCK = "executor.lock"
MIGRATIONS = "hourglass_executor.storage.sqlite.migrations"


def claim(directory: Path) -> int:
    """Make ``directory`` and lock it for this process; return the lock's file descriptor.

    FAILED_PRECONDITION if another process holds it or it can not be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"the data directory {directory} can not be used: {exc.strerror}",
            reason="DATA_DIRECTORY",
            hint="choose another one with dataDir in the configuration",
        ) from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        who = f" (process {holder})" if holder else ""
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"another executor{who} uses the data directory {directory}",
            reason="DATA_DIRECTORY_IN_USE",
            hint="stop that one, or give this one its own with dataDir in the configuration",
        ) from exc
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def open_database(directory: Path) -> sqlite3.Connection:
    """Return a connection to the migrated database.

    FAILED_PRECONDITION for a schema newer than this program; DATA_LOSS for a damaged file.
    """
    path = directory / DATABASE
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            # Readers never wait for the writer, and FULL makes each COMMIT wait for the disk.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA busy_timeout = 5000")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as exc:
        raise HourglassError(
            Code.DATA_LOSS,
            f"the database {path} can not be read: {exc}",
            reason="DATABASE_DAMAGED",
            hint="restore it from a copy, or move it away to begin with an empty one",
        ) from exc
    except OSError as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"the database {path} can not be opened: {exc.strerror}",
            reason="DATA_DIRECTORY",
        ) from exc
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    scripts = sorted(
        (one for one in files(MIGRATIONS).iterdir() if one.name.endswith(".sql")),
        key=lambda one: one.name,
    )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"{path} has schema version {version}; this program knows up to {len(scripts)}",
            reason="SCHEMA_FROM_THE_FUTURE",
            hint="run the newer release that wrote it, or choose another dataDir",
        )
    for number, script in enumerate(scripts, start=1):
        if number > version:
            # executescript commits what is open, so the transaction is part of the script.
            connection.executescript(
                f"BEGIN IMMEDIATE; {script.read_text()}; PRAGMA user_version = {number}; COMMIT;"
            )
