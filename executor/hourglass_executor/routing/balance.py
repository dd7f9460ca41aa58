"""Choose among instances that are equally busy: the lowest recent latency. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp2

_WEIGHT_OF_NEWEST = 0.3


@dataclass(frozen=True, slots=True)
class Latency:
    """A moving average in seconds that fades, so that a slow past is tried again."""

    seconds: float = 0.0
    measured_at: float = 0.0

    def at(self, now: float, half_life: float) -> float:
        """Return the average as it counts at ``now``."""
        return self.seconds * exp2((self.measured_at - now) / half_life)

    def measured(self, seconds: float, now: float) -> "Latency":
        """Return the average with one more measurement in it."""
        if self.seconds == 0.0:
            return Latency(seconds, now)
        mean = self.seconds + _WEIGHT_OF_NEWEST * (seconds - self.seconds)
        return Latency(mean, now)


def fastest(latencies: Sequence[float], u: float) -> int:
    """Return the index of the lowest; ``u`` in [0, 1) decides between equal ones."""
    lowest = min(latencies)
    if latencies.count(lowest) == 1:
        return latencies.index(lowest)
    equal = [index for index, latency in enumerate(latencies) if latency == lowest]
    return equal[int(u * len(equal))]
