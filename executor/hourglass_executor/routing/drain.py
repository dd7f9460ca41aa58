"""What the instances of a performer still hold, by revision. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLoad:
    """The calls of one instance that have not ended; ``in_service`` while it may get more."""

    instance: str
    in_flight: int
    latest_deadline: float | None = None
    in_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """Calls of one revision that have not ended; ``latest_deadline`` is on the monotonic clock
    and None when none is left; ``lost`` counts calls that ended without an answer, those of
    instances that are gone included."""

    performer_id: str
    revision: str
    in_flight: int
    latest_deadline: float | None
    lost: int
    instances: tuple[InstanceLoad, ...] = ()


def report(
    performer_id: str, revision: str, *, instances: Iterable[InstanceLoad], lost: int
) -> DrainReport:
    """Return what is left of a revision, from what is left on each of its instances."""
    loads = tuple(instances)
    deadlines = [one.latest_deadline for one in loads if one.latest_deadline is not None]
    return DrainReport(
        performer_id=performer_id,
        revision=revision,
        in_flight=sum(one.in_flight for one in loads),
        latest_deadline=max(deadlines, default=None),
        lost=lost,
        instances=loads,
    )
