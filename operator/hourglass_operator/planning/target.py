"""Which revision is to serve: the spec's own, unless a decision or a deadline says otherwise. Pure.

A decision is carried out by notes on the ReplicaSet of the revision that the spec asks for, in
one write, so that it holds whatever becomes of the decision itself or of this process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer_rollout import ABORT, PROMOTE, ROLLBACK, Decision
from hourglass_common.domain.performer_status import UNKNOWN

from .reasons import Note, Reason
from .revision import (
    APPROVED_BY,
    REJECTED,
    REJECTED_AT,
    REJECTED_BY,
    REJECTED_FOR,
    Revision,
    before,
    in_service,
)

Marks = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Target:
    """The revision that is to serve in the end.

    ``instead`` says why it is not the spec's own; then no gate and no pause stand before it.
    ``approved`` means that somebody promoted it by hand.
    """

    hash: str
    instead: Reason | None = None
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a decision comes to: notes for the spec's own revision, or a refusal."""

    outcome: str
    message: str
    marks: Marks
    note: Note | None = None


def choose(current: str, revisions: Sequence[Revision]) -> Target:
    """Return the target for a spec whose revision is ``current``."""
    mine = find(revisions, current)
    if mine is None or not mine.rejected:
        return Target(current, approved=mine is not None and APPROVED_BY in mine.notes)
    instead = mine.notes.get(REJECTED_FOR, "")
    back = find(revisions, instead) or before(revisions, mine)
    if back is None:
        return Target(current)  # there is nothing to return to
    reasons = {reason.value: reason for reason in Reason}
    return Target(back.hash, reasons.get(mine.rejected, Reason.ROLLED_BACK))


def find(revisions: Sequence[Revision], hash_: str) -> Revision | None:
    return next((r for r in revisions if r.hash == hash_), None)


def is_open(decision: Decision | None, handled: Mapping[str, Any] | None, current: str) -> bool:
    """Return whether a decision waits to be looked at: made for this spec, and not seen yet."""
    if decision is None or decision.decided_for_hash != current:
        return False
    seen = handled or {}
    return (
        seen.get("action"),
        seen.get("revision", ""),
        seen.get("decidedForHash", ""),
    ) != (decision.action, decision.revision, decision.decided_for_hash)


def rule(
    decision: Decision,
    current: str,
    revisions: Sequence[Revision],
    *,
    complete: bool,
    who: str,
    now: datetime,
) -> Ruling | None:
    """Return what an open decision comes to; None while its revision does not exist yet.

    ``complete`` says whether the spec's own revision has taken over already.
    """
    mine = find(revisions, current)
    if mine is None:
        return None
    match decision.action:
        case "Promote":
            serving = in_service(revisions)
            serves = serving is not None and serving.hash == mine.hash
            return _promote(decision, mine, who, serves=serves)
        case "Abort":
            return _abort(decision, mine, revisions, complete=complete, who=who, now=now)
        case _:
            return _roll_back(decision, mine, revisions, who, now)


def reject(mine: Revision, reason: Reason, instead: str, who: str, now: datetime) -> Marks:
    """Return the notes that keep a revision from serving, and name the one that does."""
    return {
        REJECTED: reason.value,
        REJECTED_BY: who,
        REJECTED_AT: rfc3339(now),
        REJECTED_FOR: instead,
        APPROVED_BY: None,
    }


def _promote(decision: Decision, mine: Revision, who: str, *, serves: bool) -> Ruling:
    if decision.revision not in ("", mine.hash):
        return _refused(
            f"{PROMOTE}: the spec asks for revision {mine.hash}, not for {decision.revision}; "
            f"{ROLLBACK} returns to an earlier one"
        )
    if mine.rejected:
        cleared = {REJECTED: None, REJECTED_BY: None, REJECTED_AT: None, REJECTED_FOR: None}
        return Ruling("Accepted", "", {APPROVED_BY: who or UNKNOWN, **cleared})
    if serves:
        return Ruling("Accepted", f"revision {mine.hash} is in service already", {})
    return Ruling("Accepted", "", {APPROVED_BY: who or UNKNOWN})


def _abort(
    decision: Decision,
    mine: Revision,
    revisions: Sequence[Revision],
    *,
    complete: bool,
    who: str,
    now: datetime,
) -> Ruling:
    if decision.revision not in ("", mine.hash):
        return _refused(f"{ABORT}: revision {decision.revision} is not being rolled out")
    if complete:
        return _refused(f"{ABORT}: revision {mine.hash} is in service; {ROLLBACK} returns from it")
    instead = before(revisions, mine)
    if instead is None:
        return _refused(f"{ABORT}: there is no earlier revision to stay with")
    marks = reject(mine, Reason.ABORTED, instead.hash, who, now)
    return Ruling("Accepted", "", marks, Note.REVISION_ABORTED)


def _roll_back(
    decision: Decision, mine: Revision, revisions: Sequence[Revision], who: str, now: datetime
) -> Ruling:
    if decision.revision == mine.hash:
        return _refused(f"{ROLLBACK}: revision {mine.hash} is what the spec asks for; {PROMOTE} it")
    wanted = find(revisions, decision.revision) if decision.revision else before(revisions, mine)
    if wanted is None:
        kept = ", ".join(sorted(r.hash for r in revisions if r.hash != mine.hash)) or "none"
        which = decision.revision or "the one before"
        return _refused(f"{ROLLBACK}: revision {which} is not kept; there are: {kept}")
    marks = reject(mine, Reason.ROLLED_BACK, wanted.hash, who, now)
    return Ruling("Accepted", "", marks, Note.REVISION_ROLLED_BACK)


def _refused(message: str) -> Ruling:
    return Ruling("Refused", message, {}, Note.DECISION_REFUSED)
