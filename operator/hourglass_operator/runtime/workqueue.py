"""The work queue: ``queue_state`` with a clock and somebody who waits."""

import asyncio
import random
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from hourglass_common.domain.clock import Clock

from . import metrics
from .queue_state import QueueState

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Any number of workers ``take`` keys and end with ``done`` or ``failed``."""

    def __init__(self, name: str, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._state: QueueState[K] = QueueState()
        self._idle: deque[asyncio.Future[None]] = deque()
        # Looked up once: labels() costs more than what it counts.
        self._depth = metrics.QUEUE_DEPTH.labels(name)
        self._seconds = metrics.QUEUE_SECONDS.labels(name)
        self._adds = metrics.QUEUE_ADDS.labels(name)
        self._retries = metrics.QUEUE_RETRIES.labels(name)
        self._work = metrics.WORK_SECONDS.labels(name)
        self._started: dict[K, float] = {}
        metrics.UNFINISHED_SECONDS.labels(name).set_function(lambda: sum(self._ages()))
        metrics.LONGEST_SECONDS.labels(name).set_function(self.longest)
        metrics.ACTIVE_WORKERS.labels(name).set_function(lambda: len(self._started))

    def is_busy(self) -> bool:
        """Return whether keys wait or are being worked on."""
        return self._state.is_busy

    def add(self, key: K) -> None:
        self._state.add(key, self._clock.monotonic())
        self._adds.inc()
        self._notify()

    def add_after(self, key: K, seconds: float) -> None:
        self._state.add_at(key, self._clock.monotonic() + seconds)
        self._notify()

    async def take(self) -> K:
        """Return the next key, whose work is then this caller's."""
        while True:
            now = self._clock.monotonic()
            taken = self._state.take(now)
            if taken is not None:
                key, waited = taken
                self._started[key] = now
                self._depth.set(len(self._state))
                self._seconds.observe(waited)
                return key
            await self._wait()

    def done(self, key: K) -> None:
        self._state.done(key, self._ended(key))
        self._notify()

    def failed(self, key: K, retry_after: float | None = None) -> float:
        """Try ``key`` again later; returns after how many seconds."""
        self._retries.inc()
        delay = self._state.failed(key, self._ended(key), self._rng.random(), retry_after)
        self._notify()
        return delay

    def put_off(self, key: K) -> float:
        """Try ``key`` again soon, however often; returns after how many seconds."""
        self._retries.inc()
        delay = self._state.put_off(key, self._ended(key), self._rng.random())
        self._notify()
        return delay

    def longest(self) -> float:
        """Return for how many seconds the oldest of the keys being worked on is."""
        return max(self._ages(), default=0.0)

    def _ages(self) -> list[float]:
        now = self._clock.monotonic()
        return [now - since for since in self._started.values()]

    def _ended(self, key: K) -> float:
        """Note that work on ``key`` is over; returns the time."""
        now = self._clock.monotonic()
        since = self._started.pop(key, None)
        if since is not None:
            self._work.observe(now - since)
        return now

    async def _wait(self) -> None:
        """Return once something may be due."""
        due = self._state.next_at()
        timeout = None if due is None else max(0.0, due - self._clock.monotonic())
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(woken)
        try:
            async with asyncio.timeout(timeout):
                await woken
        except TimeoutError:
            return
        finally:
            woken.cancel()  # no effect where it was woken; else nobody wakes a worker that is gone

    def _notify(self) -> None:
        """Wake one worker: whoever is busy looks by itself before it waits again."""
        self._depth.set(len(self._state))
        while self._idle:
            worker = self._idle.popleft()
            if not worker.done():
                worker.set_result(None)
                return
