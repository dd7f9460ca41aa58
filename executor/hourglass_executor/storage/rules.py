"""What both stores do to a row, and the errors that they share. Pure."""

from dataclasses import replace
from datetime import datetime

from hourglass_common.domain.errors import Code, HourglassError

from hourglass_executor.tasks.lifecycle import ENDED, TaskEnd, TaskRecord, TaskState


def dispatched(row: TaskRecord) -> TaskRecord:
    _not_ended(row)
    return replace(row, state=TaskState.DISPATCHED)


def finished(row: TaskRecord, end: TaskEnd, finished_at: datetime) -> TaskRecord:
    _not_ended(row)
    return replace(
        row,
        state=end.state,
        result=end.result,
        error=end.error,
        finished_at=finished_at,
        submission=replace(row.submission, payload=b""),
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
