"""What a draining revision still holds. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """Calls of one revision that have not ended; ``latest_deadline`` is on the monotonic clock
    and None when none is left; ``lost`` counts calls that ended without an answer."""

    performer_id: str
    revision: str
    in_flight: int
    latest_deadline: float | None
    lost: int


def report(
    performer_id: str, revision: str, *, deadlines: Iterable[float], lost: int
) -> DrainReport:
    """Return what is left, from the deadline of every call still out."""
    left = tuple(deadlines)
    return DrainReport(
        performer_id=performer_id,
        revision=revision,
        in_flight=len(left),
        latest_deadline=max(left, default=None),
        lost=lost,
    )
