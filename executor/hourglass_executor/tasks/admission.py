"""What happens to a submission whose id may have been seen before. Pure."""

from dataclasses import dataclass

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.port import TaskResult

from .lifecycle import TaskRecord, TaskState


@dataclass(frozen=True, slots=True)
class Run:
    """It is new: execute it."""


@dataclass(frozen=True, slots=True)
class Join:
    """It is being executed: wait for that."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """It has ended: give this answer again."""

    answer: TaskResult | HourglassError


Admission = Run | Join | Repeat


def admit(known: TaskRecord | None, digest: bytes) -> Admission:
    """Decide about a submission with ``digest``, given what is ``known`` under its id.

    ALREADY_EXISTS, which shows nothing of the other task, where the contents differ.
    """
    if known is None:
        return Run()
    if known.digest != digest:
        raise reused_id(known.task_id)
    match known.state:
        case TaskState.ACCEPTED | TaskState.DISPATCHED:
            return Join()
        case TaskState.COMPLETED | TaskState.FAILED | TaskState.UNKNOWN:
            answer = known.result or (known.error.as_error() if known.error else None)
            if answer is None:
                raise ValueError(f"task {known.task_id} has ended without a result or an error")
            return Repeat(answer)


def reused_id(task_id: str) -> HourglassError:
    return HourglassError(
        Code.ALREADY_EXISTS,
        f"task {task_id} already processed: another task was submitted under this id",
        reason="TASK_ID_REUSED",
        hint="give each task an id of its own",
    )
