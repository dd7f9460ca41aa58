"""Decide what one Performer needs: observed state in, actions out. Pure.

what is asked for (intent) -> which revision is to serve (target) -> the strategy's next step
-> actions on ReplicaSets, pods and their neighbours -> status, receipts, events
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hourglass_common.domain.performer_rollout import BLUE_GREEN, RECREATE, Decision
from hourglass_common.kube.objects import (
    annotations,
    condition,
    is_pod_ready,
    is_terminating,
    labels,
)

from .actions import Action, Create, Patch, Plan, RestoreReplicas
from .blue_green import blue_green
from .deadline import seconds_left
from .drain import drain
from .foreign import name_taken
from .intent import OPERATOR, Wish, who_set, wish_of
from .naming import REVISION_LABEL
from .neighbours import neighbour_actions
from .observed import Observed
from .reasons import Reason
from .receipts import receipts_of
from .recreate import recreate
from .replica_sets import change, gate_action, replica_set_actions
from .report import status_actions
from .revision import (
    PROMOTED_AT,
    SWITCHED_AT,
    Revision,
    before,
    in_service,
    read_revisions,
)
from .rolling import roll
from .status import Situation, status_of, verdict_of
from .step import Step, Turn
from .target import Ruling, choose, find, is_open, reject, rule
from .trouble import Trouble, find_trouble, next_deadline

Manifest = Mapping[str, Any]

NAME_RECHECK_SECONDS = 30.0
"""No watch may tell when somebody else's object goes: the caches hold what looks like ours."""
RESTORE_AFTER_SECONDS = 10.0
"""How long a performer rests before its spec is told the number of instances that it has."""


def plan(seen: Observed, refused: Trouble | None = None) -> Plan:
    """Return the actions that bring the cluster nearer to the Performer's spec.

    ``refused`` is what the API said of the last attempt, if it refused it for good.
    """
    if seen.performer.deleting:
        return Plan()  # owner references take everything away
    wish = wish_of(seen.performer)
    turn = turn_of(seen, wish)
    step = next_step(turn)
    taken = name_taken(seen)
    blocked = taken or refused
    left = _progress_left(turn)
    stuck = left is not None and left <= 0
    ruling = ruling_of(seen, turn)
    actions: list[Action] = []
    if blocked is None:
        actions = _overrule(turn, ruling, stuck=stuck) or _changes(seen, turn, step, wish)
    waiting = waiting_pods(seen, turn)
    situation = Situation(
        seen=seen,
        turn=turn,
        step=step,
        wish=wish,
        trouble=blocked or find_trouble(turn.aim, waiting, seen.now),
        stuck=stuck,
    )
    told, again = _telling(situation, ruling)
    restored, rest = _restore(seen, wish)
    rechecks = (
        *step.rechecks,
        NAME_RECHECK_SECONDS if taken else None,
        left if left and left > 0 else None,
        next_deadline(waiting, seen.now),
        again,
        rest,
    )
    due = [seconds for seconds in rechecks if seconds is not None]
    return Plan((*actions, *told, *restored), min(due, default=None))


def next_step(turn: Turn) -> Step:
    """Return what the performer's strategy asks for now."""
    match turn.spec.strategy.type:
        case type_ if type_ == BLUE_GREEN:
            return blue_green(turn)
        case type_ if type_ == RECREATE:
            return recreate(turn)
        case _:
            return roll(turn)


def turn_of(seen: Observed, wish: Wish) -> Turn:
    """Return what a strategy sees of a performer."""
    revisions = read_revisions(seen.replica_sets, seen.pods)
    return Turn(
        spec=seen.performer.spec,
        current=seen.revision,
        target=choose(seen.revision, revisions),
        revisions=revisions,
        wanted=wish.instances,
        reports=seen.reports,
        switched_at=_switched_at(seen.service, in_service(revisions)),
        now=seen.now,
    )


def _switched_at(service: Manifest | None, serving: Revision | None) -> str:
    """Return when the Service began to select what is in service, "" while it does not."""
    if service is None or serving is None:
        return ""
    chosen = service["spec"].get("selector") or {}
    if chosen.get(REVISION_LABEL) != serving.hash:
        return ""
    return max(annotations(service).get(SWITCHED_AT, ""), serving.notes.get(PROMOTED_AT, ""))


def _progress_left(turn: Turn) -> float | None:
    """Return the seconds until the rollout counts as stuck, None where nothing is to come."""
    if turn.aim is None or turn.wanted == 0:
        return None
    limit = turn.spec.rollout.progress_deadline_seconds
    return seconds_left(turn.aim, turn.wanted, limit, turn.now)


def foresee(seen: Observed, decision: Decision) -> Ruling | None:
    """Return what ``decision`` would come to if it were in the spec now, None if not known yet."""
    rollout = replace(seen.performer.spec.rollout, decision=decision)
    status = {**seen.performer.status, "decision": None}
    spec = replace(seen.performer.spec, rollout=rollout)
    wished = replace(seen, performer=replace(seen.performer, spec=spec, status=status))
    return ruling_of(wished, turn_of(wished, wish_of(wished.performer)))


def ruling_of(seen: Observed, turn: Turn) -> Ruling | None:
    """Return what a decision that nobody has looked at yet comes to."""
    decision = turn.spec.rollout.decision
    if decision is None or not is_open(
        decision, seen.performer.status.get("decision"), turn.current
    ):
        return None
    mine, serving = find(turn.revisions, turn.current), turn.serving
    complete = (
        mine is not None
        and serving is not None
        and mine.hash == serving.hash
        and mine.available >= turn.wanted
    )
    who = who_set(seen.performer, "rollout", "decision")
    return rule(decision, turn.current, turn.revisions, complete=complete, who=who, now=turn.now)


def _overrule(turn: Turn, ruling: Ruling | None, *, stuck: bool) -> list[Action]:
    """Return the one write of a decision or a deadline; what follows from it comes next time."""
    mine = find(turn.revisions, turn.current)
    if mine is None:
        return []
    if ruling is not None and ruling.marks:
        return change(mine, mine.wanted, ruling.marks)
    instead = before(turn.revisions, mine)
    gives_up = stuck and turn.spec.rollout.on_deadline == "Rollback"
    if gives_up and turn.target.instead is None and instead is not None:
        reason = Reason.PROGRESS_DEADLINE_EXCEEDED
        marks = reject(mine, reason, instead.hash, OPERATOR, turn.now)
        return change(mine, mine.wanted, marks)
    return []


def _changes(seen: Observed, turn: Turn, step: Step, wish: Wish) -> list[Action]:
    """Return the changes in their order: what is new, the target, the switch, then the others.

    A promotion is noted before the Service follows it: a process that ends in between goes on
    where it was, instead of back. Nothing is taken out before the Service selects what remains.
    """
    sets = replica_set_actions(seen, turn, step)
    neighbours = neighbour_actions(seen, turn, step, fenced=wish.fence)
    aim = turn.aim.name if turn.aim is not None else ""
    first = [a for a in sets if _touches([a], aim)]
    ordered = [*first, *neighbours, *(a for a in sets if a not in first)]
    made = [a for a in ordered if isinstance(a, Create)]
    rest = [a for a in ordered if not isinstance(a, Create)]
    gate = gate_action(seen, turn, step)
    return [*made, *rest, *([gate] if gate is not None and not _touches(rest, gate.name) else [])]


def _touches(actions: Sequence[Action], name: str) -> bool:
    return any(isinstance(a, Patch) and a.kind == "ReplicaSet" and a.name == name for a in actions)


def waiting_pods(seen: Observed, turn: Turn) -> list[Manifest]:
    """Return the target's pods that are not ready, by name."""
    found = [
        pod
        for pod in seen.pods
        if labels(pod).get(REVISION_LABEL) == turn.target.hash
        and not is_terminating(pod)
        and not is_pod_ready(pod)
    ]
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def _telling(situation: Situation, ruling: Ruling | None) -> tuple[list[Action], float | None]:
    seen, turn, step, wish = situation.seen, situation.turn, situation.step, situation.wish
    fences = _fence_drains(seen, turn, wish)
    draining = any(not i.serving for r in turn.revisions for i in r.instances) or any(
        not d.over for d in (*step.drains, *fences)
    )
    receipts = receipts_of(
        seen.performer,
        wish,
        turn.revisions,
        [*step.drains, *fences],
        seen.now,
        draining=draining,
    )
    decision = _decision(seen, ruling)
    status = status_of(situation, verdict_of(situation), receipts, decision)
    told, again = status_actions(seen, status, ruling)
    rechecks = [d.recheck_after for d in fences if not d.over and d.recheck_after is not None]
    return told, min([*rechecks, *([again] if again is not None else [])], default=None)


def _fence_drains(seen: Observed, turn: Turn, wish: Wish) -> list[Any]:
    """Return the drain of what was in service when the fence came up, while it is not over."""
    receipts = seen.performer.status.get("receipts") or ()
    fence = next((r for r in receipts if r.get("action") == "Fence"), None)
    serving = turn.serving
    if not wish.fence or fence is None or fence.get("drained") or serving is None:
        return []
    since = datetime.fromisoformat(str(fence["when"]))
    timeout = turn.spec.rollout.drain_timeout_seconds
    return [drain(turn.reports, serving.hash, since, turn.now, timeout_seconds=timeout)]


def _decision(seen: Observed, ruling: Ruling | None) -> Mapping[str, Any] | None:
    decision = seen.performer.spec.rollout.decision
    if ruling is None or decision is None:
        found: Mapping[str, Any] | None = seen.performer.status.get("decision")
        return found
    told = {
        "action": decision.action,
        "revision": decision.revision,
        "decidedForHash": decision.decided_for_hash,
        "outcome": ruling.outcome,
        "message": ruling.message[:1024],
    }
    return {key: value for key, value in told.items() if value}


def _restore(seen: Observed, wish: Wish) -> tuple[list[Action], float | None]:
    """Tell the spec the number of instances, where it names none and the performer is at rest.

    Autoscalers read it from there; a manifest without it that was put over the object took it out.
    """
    performer = seen.performer
    ready = condition({"status": performer.status}, "Ready") or {}
    since = ready.get("lastTransitionTime")
    if performer.spec.replicas is not None or ready.get("status") != "True" or not since:
        return [], None
    due = datetime.fromisoformat(since) + timedelta(seconds=RESTORE_AFTER_SECONDS)
    left = (due - seen.now).total_seconds()
    return ([], left) if left > 0 else ([RestoreReplicas(wish.replicas)], None)
