"""The errors of this project: a code, what is wrong, where, and what to do next.

Foreign exceptions (Kubernetes, gRPC, SQLite, docker) are translated into these in one module
per library; nothing past that module sees them. ``services.rpc.status`` maps codes to gRPC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Code(Enum):
    """What kind of failure it is; the names are those of gRPC's canonical codes."""

    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    DATA_LOSS = "DATA_LOSS"
    UNAUTHENTICATED = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of a request: its path, and what is wrong with its value."""

    field: str
    description: str


class HourglassError(Exception):
    """A failure that its reader can act on.

    ``message`` says what is wrong and where; ``hint`` what to do next; ``reason`` is a stable
    UPPER_SNAKE_CASE word for programs; ``metadata`` goes with it into google.rpc.ErrorInfo;
    ``retry_after`` is in seconds.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        reason: str = "",
        hint: str = "",
        violations: tuple[FieldViolation, ...] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.hint = hint
        self.violations = violations
        self.metadata: Mapping[str, str] = metadata or {}
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def invalid(field: str, description: str) -> HourglassError:
    """Return INVALID_ARGUMENT for one bad field."""
    return HourglassError(
        Code.INVALID_ARGUMENT,
        f"{field}: {description}" if field else description,
        violations=(FieldViolation(field, description),),
    )
