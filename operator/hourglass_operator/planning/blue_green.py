"""Blue-green: the new revision is complete beside the old one, then takes over in one switch. Pure.

    Staged --(complete, gate passed, pause over or approved)--> InService
    Staged --(abortAfterSeconds, Abort)-----------------------> Retired
    InService --(another is promoted)-------------------------> Draining
    Draining --(drained, keepPreviousSeconds over)------------> Retired
    Draining, Retired --(Rollback, once complete)-------------> InService

The switch is the Service's selector, which names the revision with the highest promotion number.
"""

import hashlib
import json
from datetime import datetime, timedelta

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer_rollout import BlueGreen
from hourglass_common.domain.schema import to_json

from .drain import drain
from .intent import OPERATOR
from .reasons import Reason
from .revision import DRAINED_AT, GATE, PROMOTED_AT, STAGED_AT, STARTED_AT, Revision
from .shrink import restore
from .step import Step, Turn, fit, promotion
from .target import reject


def blue_green(turn: Turn) -> Step:
    """Return the next step of a blue-green rollout, or of the steady state between two."""
    step = Step()
    serving, aim = turn.serving, turn.aim
    if serving is None:
        _begin(turn, step)
        return step
    step.selects = serving.hash
    fit(turn, step, serving, turn.wanted)
    for old in turn.others:
        if old is not serving:
            _retire(turn, step, old)
    if aim is serving:
        step.achieved = serving.available >= turn.wanted
        return step
    step.waits = Reason.ROLLING_OUT
    if aim is None:
        step.create = turn.wanted
    else:
        _stage(turn, step, aim, serving)
    return step


def gate_digest(spec: BlueGreen) -> str:
    """Return the name of a gate's configuration; a changed gate has to be passed anew."""
    text = json.dumps(to_json(spec.gate) if spec.gate else {}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:9]


def _begin(turn: Turn, step: Step) -> None:
    """The first revision has nothing to be staged beside."""
    aim = turn.aim
    if aim is None:
        step.create = turn.wanted
        step.birth = promotion(turn, None)
    else:
        step.note(aim, promotion(turn, aim))
        fit(turn, step, aim, turn.wanted)
    step.selects = turn.target.hash
    for old in turn.others:
        step.size(old, 0)


def _stage(turn: Turn, step: Step, aim: Revision, serving: Revision) -> None:
    step.size(aim, turn.wanted)
    step.pods += restore(aim)
    step.staged = aim.hash
    if aim.wanted == 0 and turn.wanted > 0:
        again = {STARTED_AT: rfc3339(turn.now), STAGED_AT: None, GATE: None}
        step.note(aim, again if turn.target.instead is None else {STARTED_AT: rfc3339(turn.now)})
        return
    if aim.ready < turn.wanted:
        return
    staged_at = aim.notes.get(STAGED_AT)
    if turn.target.instead is None and not staged_at:
        step.note(aim, {STAGED_AT: rfc3339(turn.now)})
    since = datetime.fromisoformat(staged_at) if staged_at else turn.now
    if _gives_up(turn, step, aim, serving, since):
        return
    if _may_serve(turn, step, aim, since):
        step.note(aim, promotion(turn, aim))
        step.selects, step.staged = aim.hash, ""


def _gives_up(turn: Turn, step: Step, aim: Revision, serving: Revision, since: datetime) -> bool:
    """Abort a staged revision whose time is over; one that was approved is waited for."""
    limit = turn.spec.strategy.blue_green.abort_after_seconds
    if limit is None or turn.target.approved or turn.target.instead is not None:
        return False
    left = (since + timedelta(seconds=limit) - turn.now).total_seconds()
    if left > 0:
        step.rechecks.append(left)
        return False
    step.note(aim, reject(aim, Reason.ABORTED, serving.hash, OPERATOR, turn.now))
    return True


def _may_serve(turn: Turn, step: Step, aim: Revision, since: datetime) -> bool:
    """Return whether a complete revision may take over; else ``step`` says what it waits for."""
    if turn.target.instead is not None:
        return True  # a return to an earlier revision passes no gate twice
    settings = turn.spec.strategy.blue_green
    if settings.gate is not None and settings.gate.smoke_task is not None and turn.wanted > 0:
        result = aim.gate
        state = result.state if result and result.digest == gate_digest(settings) else ""
        if state == "Failed":
            step.waits, step.message = Reason.GATE_FAILED, result.message if result else ""
            return False
        if state != "Passed":
            step.waits, step.run_gate = Reason.GATE_RUNNING, True
            return False
    if turn.target.approved:
        return True
    pause = settings.auto_promote_after_seconds
    step.waits = Reason.AWAITING_PROMOTION
    if pause is None:
        step.message = f"revision {aim.hash} is staged and complete; promote it by hand"
        return False
    at = since + timedelta(seconds=pause)
    left = (at - turn.now).total_seconds()
    if left > 0:
        step.message = (
            f"revision {aim.hash} is staged and complete; it is promoted at {rfc3339(at)}"
        )
        step.rechecks.append(left)
        return False
    return True


def _retire(turn: Turn, step: Step, old: Revision) -> None:
    """Let a revision that is neither in service nor to be finish what it has, and go.

    Its drain begins when the Service has left it: the note of the promotion may be much older.
    """
    noted = turn.serving.notes.get(PROMOTED_AT) if turn.serving else None
    if not old.promotion or not old.existing or not noted:
        step.size(old, 0)
        return
    settings = turn.spec.rollout
    step.size(old, old.wanted)
    replaced = turn.switched_at
    if not replaced:
        return
    state = drain(
        turn.reports,
        old.hash,
        datetime.fromisoformat(replaced),
        turn.now,
        timeout_seconds=settings.drain_timeout_seconds,
    )
    step.drains.append(state)
    if not state.over:
        step.rechecks.append(state.recheck_after or 1.0)
        return
    drained_at = old.notes.get(DRAINED_AT)
    if not drained_at or datetime.fromisoformat(drained_at) < datetime.fromisoformat(replaced):
        step.note(old, {DRAINED_AT: rfc3339(turn.now)})
        drained_at = rfc3339(turn.now)
    kept_until = datetime.fromisoformat(drained_at) + timedelta(
        seconds=settings.keep_previous_seconds
    )
    left = (kept_until - turn.now).total_seconds()
    if left > 0:
        step.rechecks.append(left)
    else:
        step.size(old, 0)
