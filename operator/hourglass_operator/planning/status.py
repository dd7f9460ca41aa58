"""What a performer's status says, from what was observed and decided. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer_rollout import BLUE_GREEN

from .conditions import Verdict, conditions_of, phase_of
from .intent import Wish
from .naming import (
    REVISION_LABEL,
    grpc_endpoint,
    selector,
    service_name,
    staged_service_name,
)
from .observed import Observed
from .reasons import BLOCKED, STALLED, Reason
from .revision import PROMOTED_AT, Revision, in_service, newest_first
from .step import Step, Turn
from .target import find
from .trouble import Trouble

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the status is written from."""

    seen: Observed
    turn: Turn
    step: Step
    wish: Wish
    trouble: Trouble | None
    stuck: bool = False

    @property
    def served(self) -> tuple[Revision, ...]:
        """The revisions that count as the performer's instances."""
        if self.step.selects:
            return tuple(r for r in self.turn.revisions if r.hash == self.step.selects)
        return self.turn.revisions

    @property
    def available(self) -> int:
        return sum(revision.available for revision in self.served)

    @property
    def being_made(self) -> bool:
        """Whether this plan creates the target's ReplicaSet."""
        if self.trouble is not None and self.trouble.reason in BLOCKED:
            return False
        return self.step.create is not None and self.turn.target.hash == self.turn.current

    @property
    def in_service(self) -> str:
        """The revision with the highest promotion, one that is being made counted in."""
        if self.being_made and self.step.birth.get(PROMOTED_AT):
            return self.turn.target.hash
        serving = in_service(self.turn.revisions)
        return serving.hash if serving else ""

    @property
    def achieved(self) -> bool:
        """Whether the newest spec runs in full, as far as its strategy asks."""
        if self.turn.target.instead is not None and self.turn.wanted > 0:
            return False
        if self.trouble is not None and self.trouble.reason in BLOCKED:
            return False
        aim = self.turn.aim
        return self.step.achieved and aim is not None and aim.existing <= self.turn.wanted


def status_of(
    situation: Situation,
    verdict: Verdict,
    receipts: Sequence[Mapping[str, Any]],
    decision: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the whole status; empty fields are left out."""
    seen, turn, step = situation.seen, situation.turn, situation.step
    performer, old = seen.performer, seen.performer.status
    mine = find(turn.revisions, turn.current)
    served = situation.served
    chosen = selector(performer) | ({REVISION_LABEL: step.selects} if step.selects else {})
    pods = [i for r in served for i in r.instances]
    best = sorted((mine.instances if mine else ()) or pods, key=lambda i: (not i.ready, i.name))
    takes_tasks = situation.available > 0 and not situation.wish.fence
    found: dict[str, Any] = {
        "observedGeneration": performer.generation,
        "phase": phase_of(performer, verdict),
        "ready": takes_tasks,
        "replicas": len(pods),
        "readyReplicas": sum(revision.ready for revision in served),
        "updatedReplicas": mine.existing if mine else 0,
        "selector": ",".join(f"{k}={v}" for k, v in sorted(chosen.items())),
        "revision": turn.current,
        "inServiceRevision": situation.in_service,
        "serviceName": service_name(performer.name),
        "stagedServiceName": staged_service_name(performer.name) if step.staged else "",
        "grpcEndpoint": grpc_endpoint(performer),
        "podName": best[0].name if best else "",
        "readyTime": old.get("readyTime") or (rfc3339(seen.now) if verdict.achieved else ""),
        "lastUpgrade": _last_upgrade(situation),
        "revisions": _revisions(situation),
        "intent": dict(situation.wish.kept),
        "decision": dict(decision) if decision else None,
        "receipts": [dict(receipt) for receipt in receipts],
    }
    found = {key: value for key, value in found.items() if value not in ("", None, [], {})}
    found["conditions"] = conditions_of(performer, verdict, seen.now)
    return found


def verdict_of(situation: Situation) -> Verdict:
    """Return the one reason for the performer's state, and a sentence."""
    reason, message = _reason(situation)
    serves = situation.available > 0
    return Verdict(
        reason=reason,
        message=message,
        achieved=situation.achieved,
        available=serves and not situation.wish.fence,
        degraded=situation.trouble is not None or situation.stuck,
        upgrading=any(r.existing for r in situation.turn.others),
    )


def _reason(situation: Situation) -> tuple[Reason, str]:
    turn, trouble, instead = situation.turn, situation.trouble, situation.turn.target.instead
    if situation.achieved:
        return _achieved(situation)
    if trouble is not None and (trouble.reason in STALLED or not situation.stuck):
        return trouble.reason, trouble.message
    if instead is not None:
        return instead, _instead(situation, instead)
    if situation.stuck:
        limit = turn.spec.rollout.progress_deadline_seconds
        text = f"{_have(turn)}, and no progress for {limit} s"
        return Reason.PROGRESS_DEADLINE_EXCEEDED, (
            f"{text}: {trouble.message}" if trouble is not None else text
        )
    return _under_way(situation)


def _under_way(situation: Situation) -> tuple[Reason, str]:
    turn, step, have = situation.turn, situation.step, _have(situation.turn)
    aim = turn.aim
    if step.waits is Reason.ROLLING_OUT:
        return step.waits, f"{have}; {step.message}" if step.message else have
    if step.waits is not None:
        return step.waits, step.message or have
    if aim is not None and aim.existing > turn.wanted:
        return Reason.DRAINING, f"{have}; others finish their tasks"
    return (Reason.SCALING if situation.available else Reason.STARTING), have


def _have(turn: Turn) -> str:
    ready = turn.aim.available if turn.aim else 0
    return f"{ready} of {turn.wanted} instances of revision {turn.current} are ready"


def _achieved(situation: Situation) -> tuple[Reason, str]:
    have = _have(situation.turn)
    if situation.wish.suspend:
        return Reason.SUSPENDED, "nothing runs until spec.suspend is set to false"
    if situation.turn.wanted == 0:
        return Reason.SCALED_TO_ZERO, "no instances are wanted"
    if situation.wish.fence:
        return Reason.FENCED, f"{have}, and take no tasks until spec.fence is set to false"
    return Reason.INSTANCES_READY, have


def _instead(situation: Situation, reason: Reason) -> str:
    turn = situation.turn
    aim = turn.aim
    have = f"{aim.available if aim else 0} of {turn.wanted} instances"
    hint = "change the spec, or promote it by hand"
    return (
        f"revision {turn.current}, which the spec asks for, is {_SAID[reason]}; "
        f"revision {turn.target.hash} serves instead with {have}; {hint}"
    )


_SAID = {
    Reason.ABORTED: "aborted",
    Reason.ROLLED_BACK: "rolled back",
    Reason.PROGRESS_DEADLINE_EXCEEDED: "given up for want of progress",
}


def _revisions(situation: Situation) -> list[dict[str, Any]]:
    turn = situation.turn
    found = [_being_made(situation)] if situation.being_made else []
    for revision in newest_first(turn.revisions, turn.current):
        entry: dict[str, Any] = {
            "hash": revision.hash,
            "role": _role(situation, revision),
            "image": revision.image,
            "replicas": revision.existing,
            "readyReplicas": revision.ready,
            "inServiceSince": revision.notes.get(PROMOTED_AT, ""),
            "rejected": revision.rejected,
            "gate": revision.gate.state if revision.gate else "",
        }
        found.append({key: value for key, value in entry.items() if value != ""})
    return found


def _being_made(situation: Situation) -> dict[str, Any]:
    """Return the revision that this plan makes as it will be seen: no status is written for it."""
    step, turn = situation.step, situation.turn
    since = step.birth.get(PROMOTED_AT)
    entry = {
        "hash": turn.target.hash,
        "role": "InService" if since else "Staged",
        "image": turn.spec.image,
        "replicas": 0,
        "readyReplicas": 0,
    }
    return entry | ({"inServiceSince": since} if since else {})


def _role(situation: Situation, revision: Revision) -> str:
    turn = situation.turn
    if revision.hash == situation.in_service:
        return "InService"
    if not revision.existing and not revision.wanted:
        return "Retired"
    blue_green = turn.spec.strategy.type == BLUE_GREEN
    staged = blue_green and (revision.hash == turn.target.hash or not revision.promotion)
    return "Staged" if staged else "Draining"


def _last_upgrade(situation: Situation) -> str:
    old = situation.seen.performer.status
    if old.get("revision") and old["revision"] != situation.turn.current:
        return rfc3339(situation.seen.now)
    return str(old.get("lastUpgrade", ""))
