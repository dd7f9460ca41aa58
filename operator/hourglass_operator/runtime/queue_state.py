"""The work queue's rules, without waiting: who may be worked on, and when. Pure.

A key is queued once however often it is added; while it is worked on, further adds wait for the
end of that work. Failures of a key back off by themselves.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

from hourglass_common.domain.backoff import Backoff

K = TypeVar("K")

BACKOFF = Backoff(minimum=0.1, maximum=60.0, jitter=0.3)


@dataclass(slots=True)
class QueueState(Generic[K]):
    """Which keys are due, being worked on, or to be added at a later time (monotonic seconds)."""

    due: OrderedDict[K, float] = field(default_factory=OrderedDict)
    later: dict[K, float] = field(default_factory=dict)
    working: set[K] = field(default_factory=set)
    again: set[K] = field(default_factory=set)
    failures: dict[K, int] = field(default_factory=dict)
    _times: list[tuple[float, int, K]] = field(default_factory=list)
    _pushed: int = 0

    @property
    def is_busy(self) -> bool:
        return bool(self.due or self.working)

    def add(self, key: K, now: float) -> None:
        """Ask for work on ``key`` now; what was asked for later stays asked for."""
        if key in self.working:
            self.again.add(key)
        elif key not in self.due:
            self.due[key] = now

    def add_at(self, key: K, at: float) -> None:
        """Ask for work on ``key`` at a time, or sooner if it was asked for sooner."""
        if at < self.later.get(key, float("inf")):
            self.later[key] = at
            self._pushed += 1
            heappush(self._times, (at, self._pushed, key))

    def take(self, now: float) -> tuple[K, float] | None:
        """Return a key to work on and how long it waited, None if nothing is due."""
        while (at := self._next_time()) is not None and at <= now:
            key = heappop(self._times)[2]
            del self.later[key]
            self.add(key, at)
        if not self.due:
            return None
        key, since = self.due.popitem(last=False)
        self.working.add(key)
        return key, max(0.0, now - since)

    def done(self, key: K, now: float) -> None:
        """Work on ``key`` ended well."""
        self.failures.pop(key, None)
        self._end(key, now)

    def failed(self, key: K, now: float, u: float, retry_after: float | None = None) -> float:
        """Work on ``key`` failed: it is tried again after the seconds returned."""
        count = self.failures[key] = self.failures.get(key, 0) + 1
        delay = max(BACKOFF.delay(count, u), retry_after or 0.0)
        self._end(key, now)
        self.add_at(key, now + delay)
        return delay

    def put_off(self, key: K, now: float, u: float) -> float:
        """Work on ``key`` could not be done, for no fault of its own: soon again, and not later
        each time."""
        delay = BACKOFF.delay(1, u)
        self._end(key, now)
        self.add_at(key, now + delay)
        return delay

    def next_at(self) -> float | None:
        """Return when something is due by itself; None if only an add can bring work."""
        if self.due:
            return 0.0
        return self._next_time()

    def _next_time(self) -> float | None:
        """Return the first time that still holds; those that were brought forward are dropped."""
        while self._times:
            at, _, key = self._times[0]
            if self.later.get(key) == at:
                return at
            heappop(self._times)
        return None

    def _end(self, key: K, now: float) -> None:
        self.working.discard(key)
        if key in self.again:
            self.again.discard(key)
            self.add(key, now)

    def __len__(self) -> int:
        return len(self.due)
