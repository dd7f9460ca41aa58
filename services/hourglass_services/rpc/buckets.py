"""Token buckets: so many acts a second, and a burst of them. Pure; time is an argument."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_second`` in the long run, ``burst`` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class _Level:
    tokens: float
    at: float


class Buckets:
    """One bucket for each key, for the ``size`` keys that were seen last.

    A key that was forgotten begins with a full bucket: ``size`` bounds memory, so it must be far
    above the number of keys that are honest.
    """

    def __init__(self, rate: Rate, size: int = 4096) -> None:
        self.rate = rate
        self._size = size
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: str, now: float) -> float:
        """Take one; returns 0, or the seconds after which there will be one."""
        level = self._levels.get(key, _Level(self.rate.burst, now))
        gained = max(0.0, now - level.at) * self.rate.per_second
        tokens = min(float(self.rate.burst), level.tokens + gained)
        taken = tokens >= 1
        self._levels[key] = _Level(tokens - 1 if taken else tokens, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._size:
            self._levels.popitem(last=False)
        return 0.0 if taken else (1 - tokens) / self.rate.per_second
