"""Which ended tasks are forgotten, and when. Pure.

A forgotten task's id is as good as new: submitted again, it runs again. So none is dropped that
ended less than ``least_age`` ago, however many there are, and one whose outcome is unknown stays
until somebody has resolved it, unless ``unknown_age`` says otherwise.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import assert_never

from hourglass_executor.tasks.lifecycle import TaskState

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``age`` and the others in seconds; ``tasks`` and ``size`` (bytes) are what may be held."""

    age: float = 7 * DAY
    tasks: int = 1_000_000
    size: int = 2 << 30
    least_age: float = 600.0
    unknown_age: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a store holds: tasks that ended and whose end is known, those whose end is not, and
    how many bytes all of it takes."""

    ended: int
    unknown: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Forget at most so many tasks, the longest ended first: those that ended before the one
    time, and those of unknown outcome that did before the other, if any."""

    ended_before: datetime
    at_most: int
    unknown_before: datetime | None = None


def limit_of(state: TaskState, drop: Drop) -> datetime | None:
    """Return before when a task in ``state`` must have ended to be dropped; None for never."""
    match state:
        case TaskState.COMPLETED | TaskState.FAILED:
            return drop.ended_before
        case TaskState.UNKNOWN:
            return drop.unknown_before
        case TaskState.ACCEPTED | TaskState.DISPATCHED:
            return None
        case _:
            assert_never(state)


def too_old(policy: Retention, now: datetime, at_most: int) -> Drop:
    """Return what to drop because of its age."""
    unknown_age = policy.unknown_age
    return Drop(
        ended_before=now - timedelta(seconds=max(policy.age, policy.least_age)),
        unknown_before=None
        if unknown_age is None
        else now - timedelta(seconds=max(unknown_age, policy.least_age)),
        at_most=at_most,
    )


def too_many(policy: Retention, held: Holdings, now: datetime) -> Drop | None:
    """Return what to drop because there is more than may be; None where there is not."""
    excess = max(held.ended - policy.tasks, 0)
    counted = held.ended + held.unknown
    if held.size > policy.size and counted:
        excess = max(excess, ceil((held.size - policy.size) / (held.size / counted)))
    excess = min(excess, held.ended)
    if not excess:
        return None
    return Drop(ended_before=now - timedelta(seconds=policy.least_age), at_most=excess)
