"""What a strategy sees of a rollout, and what it answers: the same for all three. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.performer import PerformerSpec
from hourglass_common.domain.performer_rollout import PROMOTE, ROLLBACK

from .drain import Drain
from .intent import OPERATOR
from .reasons import Reason
from .revision import (
    APPROVED_BY,
    DRAINED_AT,
    PROMOTED_AT,
    PROMOTED_BY,
    PROMOTED_FOR,
    PROMOTED_FROM,
    PROMOTION,
    REJECTED_BY,
    STAGED_AT,
    STARTED_AT,
    Revision,
    in_service,
)
from .shrink import PodMark, Shrink, shrink
from .target import Marks, Target, find


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One look at a rollout: ``wanted`` instances of ``target``; ``current`` is the spec's own.

    ``switched_at`` is when the Service began to select the revision in service and no other, ""
    while it does not.
    """

    spec: PerformerSpec
    current: str
    target: Target
    revisions: tuple[Revision, ...]
    wanted: int
    reports: tuple[DrainReport, ...]
    switched_at: str
    now: datetime

    @property
    def serving(self) -> Revision | None:
        return in_service(self.revisions)

    @property
    def aim(self) -> Revision | None:
        """The target's revision, None before it exists."""
        return find(self.revisions, self.target.hash)

    @property
    def others(self) -> tuple[Revision, ...]:
        return tuple(r for r in self.revisions if r.hash != self.target.hash)

    def shrink(self, revision: Revision, keep: int) -> Shrink:
        timeout = self.spec.rollout.drain_timeout_seconds
        return shrink(revision, keep, self.reports, self.now, timeout_seconds=timeout)


@dataclass(slots=True)
class Step:
    """What a strategy asks for, filled while it looks at one revision after another.

    ``sizes`` are replicas by ReplicaSet name; ``create`` the replicas of the target's ReplicaSet
    where there is none; ``birth`` and ``marks`` annotations of a new and of existing ones;
    ``selects`` the revision that the Service is narrowed to ("" is all that serve); ``staged`` the
    one behind the staged Service; ``waits`` why the target does not serve yet.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    create: int | None = None
    birth: Marks = field(default_factory=dict)
    marks: dict[str, dict[str, str | None]] = field(default_factory=dict)
    pods: list[PodMark] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    selects: str = ""
    staged: str = ""
    run_gate: bool = False
    waits: Reason | None = None
    message: str = ""
    achieved: bool = False
    rechecks: list[float] = field(default_factory=list)

    def note(self, revision: Revision, marks: Marks) -> None:
        """Ask for annotations; what is noted already is left out."""
        new = {k: v for k, v in marks.items() if revision.notes.get(k) != v}
        if new:
            self.marks.setdefault(revision.name, {}).update(new)

    def size(self, revision: Revision, replicas: int) -> None:
        self.sizes[revision.name] = replicas

    def take(self, revision: Revision, found: Shrink) -> None:
        """Ask for what a shrinking revision needs."""
        self.size(revision, found.replicas)
        self.pods += found.marks
        self.drains += found.drains
        if found.recheck_after is not None:
            self.rechecks.append(found.recheck_after)


def fit(turn: Turn, step: Step, revision: Revision, wanted: int) -> None:
    """Bring a revision to ``wanted`` instances: up at once, down by draining."""
    if wanted < revision.existing or any(not i.serving for i in revision.instances):
        found = turn.shrink(revision, wanted)
        step.take(revision, found)
        if wanted > revision.wanted:
            step.size(revision, wanted)
    else:
        step.size(revision, wanted)


def promotion(turn: Turn, aim: Revision | None) -> dict[str, str | None]:
    """Return the notes that put the target into service: the switch itself."""
    serving = turn.serving
    number = (serving.promotion if serving else 0) + 1
    who = OPERATOR
    if aim is not None and aim.notes.get(APPROVED_BY):
        who = aim.notes[APPROVED_BY]
    if turn.target.instead is not None:
        mine = find(turn.revisions, turn.current)
        who = (mine.notes.get(REJECTED_BY) if mine else "") or OPERATOR
    found: dict[str, str | None] = {
        PROMOTION: str(number),
        PROMOTED_AT: rfc3339(turn.now),
        PROMOTED_BY: who,
        PROMOTED_FOR: PROMOTE if turn.target.instead is None else ROLLBACK,
    }
    if serving is not None:
        found[PROMOTED_FROM] = serving.hash
    if aim is not None:
        found |= {APPROVED_BY: None, STAGED_AT: None, DRAINED_AT: None}
        if aim.wanted == 0:
            found[STARTED_AT] = rfc3339(turn.now)
    return found
