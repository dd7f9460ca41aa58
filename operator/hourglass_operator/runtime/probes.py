"""What /healthz and /readyz tell: whether the process lives, and whether it knows its cluster."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hourglass_common.domain.clock import Clock
from hourglass_common.kube.namespaces import Cache
from hourglass_common.runtime.admin import Check, Fine

from . import metrics

BEAT_SECONDS = 1.0
LATE_SECONDS = 10.0
"""A loop that is later than this has been held up by something that does not let go."""
STALE_SECONDS = 180.0
"""Servers prove about once a minute that a watch lives: two of three missed are too many."""
STUCK_SECONDS = 120.0
"""Twice the time that a reconciliation may take: it does not end when it is told to."""


@dataclass(slots=True)
class Probes:
    """The checks of one operator; ``run`` beats while the event loop turns."""

    clock: Clock
    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    _beat: float = 0.0

    def __post_init__(self) -> None:
        self._beat = self.clock.monotonic()
        self.live["event loop"] = self._turns

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beat = self.clock.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    def follow(self, cache: Cache, task: asyncio.Task[None]) -> None:
        """Ask of a cache that its task lives and that it is true."""
        plural = cache.resource.plural
        self.live[f"watch of {plural}"] = lambda: _ended(task)
        self.ready[plural] = lambda: self._is_true(cache)
        metrics.WATCH_AGE.labels(plural).set_function(lambda: cache.age(self.clock.monotonic()))

    def work(
        self, tasks: Callable[[], Sequence[asyncio.Task[None]]], longest: Callable[[], float]
    ) -> None:
        """Ask of the workers, once there are some, that they live and come to ends."""

        def check() -> str | None:
            ended = [why for task in tasks() if (why := _ended(task))]
            if ended:
                return f"{len(ended)} of {len(tasks())}: {ended[0]}"
            seconds = longest()
            stuck = seconds > STUCK_SECONDS
            return f"one works on the same key for {seconds:.0f} s" if stuck else None

        self.live["workers"] = check

    def _turns(self) -> str | None:
        late = self.clock.monotonic() - self._beat
        return f"held up for {late:.0f} s" if late > LATE_SECONDS else None

    def _is_true(self, cache: Cache) -> str | None:
        if not cache.is_synced:
            return "not listed yet"
        age = cache.age(self.clock.monotonic())
        if age > STALE_SECONDS:
            return f"no news for {age:.0f} s"
        return Fine(f"news {age:.0f} s ago")


def _ended(task: asyncio.Task[None]) -> str | None:
    if not task.done():
        return None
    if task.cancelled():
        return "cancelled"
    return f"ended: {task.exception() or 'by itself'}"
