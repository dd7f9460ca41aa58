"""The life of an accepted task: accepted, dispatched, then ended once and for all. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import assert_never

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, TaskOutcome
from hourglass_services.executor.port import Submission, TaskResult

REASON_OUTCOME_UNKNOWN = "TASK_OUTCOME_UNKNOWN"
REASON_RESOLVED_AS_FAILED = "TASK_RESOLVED_AS_FAILED"


class TaskState(Enum):
    ACCEPTED = "accepted"  # stored; no performer has seen it
    DISPATCHED = "dispatched"  # a performer may have seen it
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may have run, or not


ENDED = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """An error as it is kept, so that every repeat gets the same."""

    code: Code
    message: str
    reason: str = ""
    hint: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None

    def as_error(self) -> HourglassError:
        return HourglassError(
            self.code,
            self.message,
            reason=self.reason,
            hint=self.hint,
            metadata=self.metadata,
            retry_after=self.retry_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Who said of a task of unknown outcome what had become of it, and when."""

    by: str
    note: str
    at: datetime
    unknown_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task as the store has it. ``submission`` loses its payload when the task has ended."""

    task_id: str
    digest: bytes
    submission: Submission
    state: TaskState
    accepted_at: datetime
    result: TaskResult | None = None
    error: TaskError | None = None
    finished_at: datetime | None = None
    resolution: Resolution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd:
    """How a task ended: with a ``result``, or with an ``error``."""

    state: TaskState
    result: TaskResult | None = None
    error: TaskError | None = None

    def __post_init__(self) -> None:
        if self.state not in ENDED or (self.result is None) == (self.error is None):
            raise ValueError("a task ends in an end state, with a result or an error")


def as_kept(error: HourglassError) -> TaskError:
    return TaskError(
        code=error.code,
        message=error.message,
        reason=error.reason,
        hint=error.hint,
        metadata=dict(error.metadata),
        retry_after=error.retry_after,
    )


def is_signed(result: TaskResult) -> bool:
    """Whether it can be given to a caller: one whose signer was away is kept without."""
    return bool(result.result_signature and result.auth_signature)


def unsuccessful_end(outcome: Failed | OutcomeUnknown) -> TaskEnd:
    """Return the end of a task that brought no result."""
    match outcome:
        case Failed(error, _):
            return TaskEnd(state=TaskState.FAILED, error=as_kept(error))
        case OutcomeUnknown(error, _):
            return TaskEnd(state=TaskState.UNKNOWN, error=as_kept(error))
        case _:
            assert_never(outcome)


def may_start_anew(outcome: TaskOutcome) -> bool:
    """Whether no performer has started it for certain, so that its id may be used again."""
    match outcome:
        case Failed(_, executed):
            return not executed
        case Completed() | OutcomeUnknown():
            return False
        case _:
            assert_never(outcome)


def lost_in_a_crash(task_id: str) -> TaskEnd:
    """Return the end of a task that was dispatched when the executor died."""
    return TaskEnd(
        state=TaskState.UNKNOWN,
        error=TaskError(
            code=Code.ABORTED,
            message=f"nobody knows whether task {task_id} ran: "
            "the executor stopped while a performer had it",
            reason=REASON_OUTCOME_UNKNOWN,
            hint="see the performer's logs; submit it under another id if it may run again",
            metadata={"taskId": task_id},
        ),
    )


def resolved_as_failed(task_id: str, resolution: Resolution) -> TaskEnd:
    """Return the end of a task of which somebody said that it did not bring a result."""
    return TaskEnd(
        state=TaskState.FAILED,
        error=TaskError(
            code=Code.FAILED_PRECONDITION,
            message=f"task {task_id} failed, says {resolution.by}: {resolution.note}",
            reason=REASON_RESOLVED_AS_FAILED,
            metadata={"taskId": task_id},
        ),
    )


def caller_left(task_id: str) -> TaskError:
    """Return the error of a task that was cancelled because its caller left."""
    return TaskError(
        code=Code.ABORTED,
        message=f"nobody knows whether task {task_id} ran: its caller left, "
        "and cancelOnDisconnect is set for its AVS",
        reason=REASON_OUTCOME_UNKNOWN,
        metadata={"taskId": task_id},
    )
