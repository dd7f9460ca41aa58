"""The rolling update: new instances take the place of old ones within two bounds. Pure.

An old instance is taken out only as ready ones of the target take its place, so that never fewer
than ``wanted - maxUnavailable`` are available; the target grows within ``maxSurge``. Instances
that drain count neither way, as terminating pods do not for a Deployment.
"""

from hourglass_common.domain.performer_rollout import share

from .reasons import Reason
from .revision import Revision
from .step import Step, Turn, fit, promotion


def roll(turn: Turn) -> Step:
    """Return the next step of a rolling update, or of the steady state after one."""
    step = Step()
    wanted, others = turn.wanted, turn.others
    bounds = turn.spec.strategy.rolling_update
    surge = share(bounds.max_surge, wanted, round_up=True)
    missing = share(bounds.max_unavailable, wanted, round_up=False)
    if surge == 0 and missing == 0:
        surge = 1  # percentages may both come to nothing, and then nothing would ever move
    room = wanted + surge - sum(_counted(old) for old in others)
    aim = turn.aim
    if aim is None:
        step.create = max(0, min(wanted, room))
        step.birth = promotion(turn, None)
        size, available, counted = step.create, 0, 0
    else:
        size = min(wanted, max(min(aim.wanted, wanted), room))
        available, counted = aim.available, _counted(aim)
        if turn.serving is not aim:
            step.note(aim, promotion(turn, aim))
        fit(turn, step, aim, size)
    floor = max(0, wanted - missing)
    unready = sum(map(_counted, others)) + counted - floor - max(0, size - available)
    ready = sum(old.available for old in others) + available - floor
    for old in sorted(others, key=_least_available):
        broken = min(_counted(old) - old.available, max(0, unready))
        healthy = min(old.available, max(0, ready))
        unready, ready = unready - broken, ready - healthy
        step.take(old, turn.shrink(old, _counted(old) - broken - healthy))
    left = sum(old.existing for old in others)
    step.achieved = aim is not None and aim.available >= wanted and left == 0
    if not step.achieved and left:
        step.waits = Reason.ROLLING_OUT
        step.message = f"{left} of older revisions are left"
    return step


def _counted(revision: Revision) -> int:
    """Return the instances that are not being drained."""
    return sum(1 for instance in revision.instances if instance.serving)


def _least_available(revision: Revision) -> tuple[int, str, str]:
    return revision.available, revision.created_at, revision.name
