"""Tasks whose callers say which instances may have them. Pure.

They take what there is at that moment or are refused: never another instance than was named, and
never a place in the queue, where one that can not go yet would hold up all others.
"""

from collections.abc import Sequence

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Addressee

from .pool import Pool
from .skip import SkipReason
from .slot import Slot, skip_reason


def open_to(addressee: Addressee, slots: Sequence[Slot]) -> list[Slot]:
    """Return the slots that nothing but breaker and capacity keeps from such a task."""
    return [slot for slot in slots if slot.closed_to(addressee) is None]


def refusal(pool: Pool, addressee: Addressee, now: float) -> HourglassError | None:
    """Return why no such slot takes a task at ``now``; None where one does."""
    reasons = [(slot, _reason(slot, addressee, pool, now)) for slot in pool.slots]
    if any(reason is None for _, reason in reasons):
        return None
    others = (SkipReason.NOT_ADDRESSED, SkipReason.STAGED)
    named = [
        f"{slot.endpoint.instance} {reason.value}"
        for slot, reason in reasons
        if reason is not None and reason not in others
    ]
    if not named:
        return HourglassError(
            Code.NOT_FOUND,
            f"AVS {pool.avs} has no instance that is {addressee}",
            reason="NO_SUCH_INSTANCE",
            hint="the task was not run; hourglass executor endpoints lists them, and without "
            "hourglass-role and hourglass-instance any in service takes it",
            metadata={"avs": pool.avs},
        )
    return HourglassError(
        Code.UNAVAILABLE,
        f"no instance of AVS {pool.avs} that is {addressee} takes a task now: {', '.join(named)}",
        reason="ADDRESSEE_NOT_READY",
        hint="the task was not run, and no other instance was given it; send it again",
        metadata={"avs": pool.avs},
        retry_after=1.0,
    )


def _reason(slot: Slot, addressee: Addressee, pool: Pool, now: float) -> SkipReason | None:
    closed = slot.closed_to(addressee)
    return skip_reason(closed, slot.breaker, len(slot.permits), now, pool.policy.concurrency)
