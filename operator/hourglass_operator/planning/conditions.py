"""The conditions and the phase, from one reason and a few facts. Pure.

Ready means that the newest spec is achieved; Available that some instance takes tasks.
Reconciling and Stalled are the kstatus conditions: present only while they hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer import Performer

from .reasons import STALLED, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The one reason for the performer's state, a sentence, and what the conditions say."""

    reason: Reason
    message: str
    achieved: bool
    available: bool
    degraded: bool
    upgrading: bool

    @property
    def stalled(self) -> bool:
        return self.reason in STALLED and not self.achieved


def phase_of(performer: Performer, verdict: Verdict) -> str:
    """Return the reference's phase."""
    if performer.deleting:
        return "Terminating"
    if verdict.achieved:
        return "Running"
    if verdict.stalled and not verdict.available:
        return "Failed"
    if verdict.upgrading:
        return "Upgrading"
    return "Running" if verdict.available else "Pending"


def conditions_of(performer: Performer, verdict: Verdict, now: datetime) -> list[dict[str, Any]]:
    """Return the conditions; a transition time moves only where a status flips."""
    wanted: list[tuple[str, bool]] = [
        ("Ready", verdict.achieved),
        ("Progressing", not verdict.achieved and not verdict.stalled),
        ("Available", verdict.available),
        ("Degraded", verdict.degraded),
    ]
    if not verdict.achieved:
        wanted.append(("Stalled" if verdict.stalled else "Reconciling", True))
    before: Mapping[str, Any] = {
        c.get("type", ""): c for c in performer.status.get("conditions") or ()
    }
    moment = rfc3339(now)
    found: list[dict[str, Any]] = []
    for kind, holds in wanted:
        status = "True" if holds else "False"
        old = before.get(kind) or {}
        since = old.get("lastTransitionTime") if old.get("status") == status else None
        found.append(
            {
                "type": kind,
                "status": status,
                "observedGeneration": performer.generation,
                "lastTransitionTime": since or moment,
                "reason": verdict.reason.value,
                "message": verdict.message,
            }
        )
    return found
