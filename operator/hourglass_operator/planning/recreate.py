"""Recreate: the old revision is drained and gone before the new one begins. Pure."""

from .reasons import Reason
from .step import Step, Turn, fit, promotion


def recreate(turn: Turn) -> Step:
    """Return the next step: nothing of the target until nothing of the others is left."""
    step = Step()
    aim, others = turn.aim, turn.others
    for old in others:
        step.take(old, turn.shrink(old, 0))
    left = sum(old.left for old in others)
    free = all(old.gone for old in others)
    if aim is None:
        if free:
            step.create = turn.wanted
            step.birth = promotion(turn, None)
    else:
        if turn.serving is not aim and free:
            step.note(aim, promotion(turn, aim))
        fit(turn, step, aim, turn.wanted if free else min(aim.wanted, turn.wanted))
    step.achieved = aim is not None and aim.available >= turn.wanted and free
    if not free:
        step.waits = Reason.ROLLING_OUT
        step.message = f"{left} of older revisions have to go first"
    return step
