"""When a task that has not been answered yet is sent a second time, elsewhere. Pure."""

from collections import deque
from dataclasses import dataclass

_KEPT = 100
_NEEDED = 20


class RecentLatencies:
    """The last answers of one AVS, in seconds."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def add(self, seconds: float) -> None:
        self._seconds.append(seconds)

    def percentile(self, percent: int) -> float | None:
        """Return what ``percent`` of them stayed within; None while there are too few to tell."""
        if len(self._seconds) < _NEEDED:
            return None
        ordered = sorted(self._seconds)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePolicy:
    """A second attempt after ``delay`` seconds, or after a percentile of the recent latencies;
    none where neither is set."""

    delay: float | None = None
    percentile: int | None = None

    def __post_init__(self) -> None:
        if self.delay is not None and self.percentile is not None:
            raise ValueError("hedging has one of delay and percentile")
        if self.delay is not None and self.delay <= 0:
            raise ValueError("hedging needs a delay above 0")
        if self.percentile is not None and not 1 <= self.percentile <= 99:
            raise ValueError("hedging needs a percentile between 1 and 99")

    @property
    def is_on(self) -> bool:
        return self.delay is not None or self.percentile is not None

    def after(self, latencies: RecentLatencies) -> float | None:
        """Return the seconds to wait for the first attempt; None for no second one."""
        if self.percentile is not None:
            return latencies.percentile(self.percentile)
        return self.delay
