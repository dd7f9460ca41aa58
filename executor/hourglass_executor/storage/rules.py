"""What both stores do to a row, and the errors that they share. Pure."""

from dataclasses import replace
from datetime import datetime

from hourglass_common.domain.errors import Code, HourglassError

from hourglass_executor.tasks.lifecycle import (
    ENDED,
    Resolution,
    TaskEnd,
    TaskRecord,
    TaskState,
    is_signed,
)


def dispatched(row: TaskRecord) -> TaskRecord:
    _not_ended(row)
    return replace(row, state=TaskState.DISPATCHED)


def finished(row: TaskRecord, end: TaskEnd, finished_at: datetime) -> TaskRecord:
    if not _adds_signatures(row, end):
        _not_ended(row)
    return replace(
        row,
        state=end.state,
        result=end.result,
        error=end.error,
        finished_at=finished_at,
        submission=replace(row.submission, payload=b""),
    )


def _adds_signatures(row: TaskRecord, end: TaskEnd) -> bool:
    """Whether ``end`` is the one that is kept, and its result is signed now and was not before."""
    kept, given = row.result, end.result
    if row.state is not TaskState.COMPLETED or kept is None or given is None:
        return False
    bare = replace(given, result_signature=b"", auth_signature=b"")
    return not is_signed(kept) and is_signed(given) and bare == kept


def resolved(row: TaskRecord, end: TaskEnd, resolution: Resolution) -> TaskRecord:
    """Return the row of a task of unknown outcome after somebody has said what it was; one that
    was resolved in the same way stays as it is."""
    if row.resolution is not None:
        same_output = (row.result and row.result.output) == (end.result and end.result.output)
        if row.state is end.state and same_output:
            return row
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"task {row.task_id} was resolved otherwise by {row.resolution.by}: {row.state.value}",
            reason="TASK_RESOLVED_OTHERWISE",
            hint="callers may have that answer already, so the first resolution stands",
        )
    only_unknown(row)
    return replace(
        row,
        state=end.state,
        result=end.result,
        error=end.error,
        finished_at=resolution.at,
        resolution=replace(resolution, unknown_since=row.finished_at),
    )


def only_unknown(row: TaskRecord) -> None:
    """Raise FAILED_PRECONDITION unless the outcome is unknown, or was."""
    if row.state is not TaskState.UNKNOWN and row.resolution is None:
        waits = row.state not in ENDED
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"the outcome of task {row.task_id} is not unknown: it is {row.state.value}",
            reason="TASK_NOT_UNKNOWN",
            hint="it will end by itself" if waits else "its answer stands",
        )


def not_found(task_id: str) -> HourglassError:
    return HourglassError(
        Code.NOT_FOUND, f"task {task_id} is not known here", reason="TASK_NOT_FOUND"
    )


def _not_ended(row: TaskRecord) -> None:
    if row.state in ENDED:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"task {row.task_id} has already ended: {row.state.value}",
            reason="TASK_ENDED",
        )
