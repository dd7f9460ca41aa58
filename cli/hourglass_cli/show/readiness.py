"""What a performer's status says about being done. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .output import condition


class Outcome(Enum):
    """The value is the exit code."""

    READY = 0
    FAILED = 1
    NOT_YET = 124


@dataclass(frozen=True, slots=True)
class State:
    outcome: Outcome
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


def state_of(manifest: Mapping[str, Any]) -> State:
    """Return whether the newest spec is achieved, can not be, or is not yet."""
    meta, status = manifest["metadata"], manifest.get("status") or {}
    ready = condition(manifest, "Ready")
    reason, message = str(ready.get("reason", "Pending")), str(ready.get("message", ""))
    if meta.get("deletionTimestamp"):
        return State(Outcome.NOT_YET, "Terminating", "it is being deleted")
    if status.get("observedGeneration", -1) != meta.get("generation", 0):
        return State(Outcome.NOT_YET, "Pending", "the operator has not looked at the spec yet")
    if condition(manifest, "Stalled").get("status") == "True":
        return State(Outcome.FAILED, reason, message)
    if ready.get("status") == "True":
        return State(Outcome.READY, reason, message)
    return State(Outcome.NOT_YET, reason, message)
