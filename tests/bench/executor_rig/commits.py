"""The other floor: a commit that waits for the disk, as those of the executor's store do."""

import sqlite3
from pathlib import Path
from statistics import median
from time import perf_counter

ROW = bytes(400)


def commit_seconds(folder: Path, count: int = 300) -> float:
    """Return the median of ``count`` commits of one row, one after the other, in ``folder``."""
    path = folder / "commits.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB)")
        taken: list[float] = []
        for _ in range(count):
            began = perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows (content) VALUES (?)", (ROW,))
            connection.execute("COMMIT")
            taken.append(perf_counter() - began)
    finally:
        connection.close()
    return median(taken)
