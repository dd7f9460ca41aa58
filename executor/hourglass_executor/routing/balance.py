"""Choose among equals: least calls in flight, then lowest recent latency. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

Load = tuple[int, float]
"""Calls in flight, and recent latency in seconds."""

_WEIGHT_OF_NEWEST = 0.3


@dataclass(frozen=True, slots=True)
class Latency:
    """A moving average in seconds that fades, so that a slow past is tried again."""

    seconds: float = 0.0
    measured_at: float = 0.0

    def at(self, now: float, half_life: float) -> float:
        """Return the average as it counts at ``now``."""
        if self.seconds == 0.0:
            return 0.0
        age = max(0.0, now - self.measured_at)
        return float(self.seconds * 0.5 ** (age / half_life))

    def measured(self, seconds: float, now: float) -> "Latency":
        """Return the average with one more measurement in it."""
        if self.seconds == 0.0:
            return Latency(seconds, now)
        mean = self.seconds + _WEIGHT_OF_NEWEST * (seconds - self.seconds)
        return Latency(mean, now)


def choose(loads: Sequence[Load], u: float) -> int:
    """Return the index of the least loaded; ``u`` in [0, 1) decides between equal ones."""
    least = min(loads)
    if loads.count(least) == 1:
        return loads.index(least)
    equal = [index for index, load in enumerate(loads) if load == least]
    return equal[int(u * len(equal))]
