"""What is said of tasks that end here, and of how others ended."""

from typing import assert_never

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, TaskOutcome
from hourglass_services.performer.client import REASON_NOT_STARTED, CallEnd


def allows_another(end: CallEnd, *, idempotent: bool) -> bool:
    """Whether a task of which a call ended so may be sent once more."""
    match end.outcome:
        case Completed():
            return False
        case Failed(error, executed):
            return not executed and error.reason == REASON_NOT_STARTED
        case OutcomeUnknown():
            return idempotent and end.code is not Code.DEADLINE_EXCEEDED
        case outcome:
            assert_never(outcome)


def stopping() -> HourglassError:
    return HourglassError(
        Code.UNAVAILABLE,
        "the executor is not dispatching tasks: it is starting or stopping",
        reason="DISPATCHER_STOPPED",
        hint="the task was not run; send it again",
        retry_after=1.0,
    )


def code_of(outcome: TaskOutcome) -> str:
    match outcome:
        case Completed():
            return "OK"
        case Failed(error) | OutcomeUnknown(error):
            return error.code.value
        case _:
            assert_never(outcome)
