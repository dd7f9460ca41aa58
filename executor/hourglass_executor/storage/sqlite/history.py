"""Questions about many tasks, and the dropping of old ones."""

import sqlite3
from typing import Any

from hourglass_executor.storage.listing import TaskFilter, TaskPage
from hourglass_executor.storage.retention import Drop, Holdings

from .rows import task_from_row

TASK = (
    "task_id, digest, state, submission, payload, result, output, error, accepted_at, finished_at, "
    "resolution"
)
_WITHOUT_CONTENT = TASK.replace("payload", "x''").replace("output", "x''")
_KNOWN = "state IN ('completed', 'failed')"  # as in the index of them
_UNKNOWN = "state = 'unknown'"


def page(connection: sqlite3.Connection, wanted: TaskFilter, before: int, at_most: int) -> TaskPage:
    """Return one page; see ``Store.list_tasks``. Rows are numbered as they were accepted."""
    conditions, values = ["1"], list[Any]()
    if before:
        conditions.append("rowid < ?")
        values.append(before)
    if wanted.avs:
        conditions.append("json_extract(submission, '$.avs_address') = ?")
        values.append(wanted.avs)
    if wanted.states:
        conditions.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        values += sorted(state.value for state in wanted.states)
    rows = connection.execute(
        f"SELECT rowid, {_WITHOUT_CONTENT} FROM tasks "  # noqa: S608  all values are parameters
        f"WHERE {' AND '.join(conditions)} ORDER BY rowid DESC LIMIT ?",
        (*values, at_most + 1),
    ).fetchall()
    shown = rows[:at_most]
    more = int(shown[-1][0]) if len(rows) > len(shown) else 0
    return TaskPage(tuple(task_from_row(row[1:]) for row in shown), more)


def holdings(connection: sqlite3.Connection) -> Holdings:
    """Return what there is; the size is that of the pages in use."""

    def number(question: str) -> int:
        return int(connection.execute(question).fetchone()[0])

    pages = number("PRAGMA page_count") - number("PRAGMA freelist_count")
    return Holdings(
        ended=number(f"SELECT COUNT(*) FROM tasks WHERE {_KNOWN}"),  # noqa: S608
        unknown=number(f"SELECT COUNT(*) FROM tasks WHERE {_UNKNOWN}"),  # noqa: S608
        size=pages * number("PRAGMA page_size"),
    )


def drop_ended(connection: sqlite3.Connection, drop: Drop) -> int:
    """Delete tasks; see ``Store.drop_ended``. Their pages are used again."""
    old = f"SELECT finished_at, rowid FROM tasks WHERE {_KNOWN} AND finished_at < ?"  # noqa: S608
    values: list[Any] = [drop.ended_before.isoformat()]
    if drop.unknown_before is not None:
        old += (
            f" UNION ALL SELECT finished_at, rowid FROM tasks WHERE {_UNKNOWN} "  # noqa: S608
            "AND finished_at < ?"
        )
        values.append(drop.unknown_before.isoformat())
    rows = connection.execute(f"{old} ORDER BY 1, 2 LIMIT ?", (*values, drop.at_most)).fetchall()
    connection.executemany("DELETE FROM tasks WHERE rowid = ?", [(row[1],) for row in rows])
    return len(rows)
