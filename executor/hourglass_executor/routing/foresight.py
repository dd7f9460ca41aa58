"""What would become of a task that arrived now, and why. Pure; nothing is changed by asking."""

from dataclasses import dataclass

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import HourglassError
from hourglass_common.domain.task import Addressee

from . import addressed
from .decisions import Considered, Step, look
from .pool import Pool


@dataclass(frozen=True, slots=True)
class Foresight:
    """``step`` is SENT with an ``endpoint``, WAITS, or REFUSED with an ``error``; ``waiting``
    tasks are before it."""

    step: Step
    considered: tuple[Considered, ...] = ()
    endpoint: Endpoint | None = None
    error: HourglassError | None = None
    waiting: int = 0


def foresee(pool: Pool, addressee: Addressee | None, now: float) -> Foresight:
    """Return what ``pool`` would do with a task; of several endpoints that are equally good it
    names one, where chance would decide."""
    seen = look(pool.slots, addressee, now, pool.policy.concurrency)
    waiting = len(pool.queue)
    if addressee is not None:
        slot = pool.pick(frozenset(), now, 0.0, addressed.open_to(addressee, pool.slots))
        if slot is None:
            return Foresight(Step.REFUSED, seen, error=addressed.refusal(pool, addressee, now))
        return Foresight(Step.SENT, seen, slot.endpoint)
    slot = None if pool.queue else pool.pick(frozenset(), now, 0.0)
    if slot is not None:
        return Foresight(Step.SENT, seen, slot.endpoint)
    if (refusal := pool.refusal(float("inf"), now, 0)) is not None:
        return Foresight(Step.REFUSED, seen, error=refusal, waiting=waiting)
    return Foresight(Step.WAITS, seen, waiting=waiting)
