"""A task as the executor holds it, and how its one execution can end."""

from dataclasses import dataclass

from .endpoint import Role
from .errors import HourglassError


@dataclass(frozen=True, slots=True)
class Addressee:
    """The instances that a caller wants its task to go to, and no others: those of ``role``, in
    service or staged; of these the one named ``instance``, where that is not ""."""

    role: Role = Role.IN_SERVICE
    instance: str = ""

    def __str__(self) -> str:
        kind = "staged" if self.role is Role.STAGED else "in service"
        return f"{kind} and named {self.instance}" if self.instance else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is sent to a performer. ``task_id`` is "0x" and 64 hexadecimal digits as submitted;
    ``avs`` the AVS address in lower case; without an ``addressee`` any instance in service may
    take it."""

    task_id: str
    avs: str
    payload: bytes
    idempotent: bool = False
    addressee: Addressee | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The performer answered."""

    output: bytes
    instance: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It is certain how the task ended, and it did not end well.

    ``executed`` is False where no performer has seen it: it may be dispatched anew.
    """

    error: HourglassError
    executed: bool


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The call was started and ended without an answer: it may have run, or not."""

    error: HourglassError
    instance: str


TaskOutcome = Completed | Failed | OutcomeUnknown
