"""The work queue: ``queue_state`` with a clock and somebody who waits."""

import asyncio
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

from hourglass_common.domain.clock import Clock

from . import metrics
from .queue_state import QueueState

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Any number of workers ``take`` keys and end with ``done`` or ``failed``."""

    def __init__(self, name: str, clock: Clock, rng: random.Random) -> None:
        self._name = name
        self._clock = clock
        self._rng = rng
        self._state: QueueState[K] = QueueState()
        self._changed = asyncio.Event()

    def is_busy(self) -> bool:
        """Return whether keys wait or are being worked on."""
        return self._state.is_busy

    def add(self, key: K) -> None:
        self._state.add(key, self._clock.monotonic())
        metrics.QUEUE_ADDS.labels(self._name).inc()
        self._notify()

    def add_after(self, key: K, seconds: float) -> None:
        self._state.add_at(key, self._clock.monotonic() + seconds)
        self._notify()

    async def take(self) -> K:
        """Return the next key, whose work is then this caller's."""
        while True:
            taken = self._state.take(self._clock.monotonic())
            if taken is not None:
                key, waited = taken
                metrics.QUEUE_DEPTH.labels(self._name).set(len(self._state))
                metrics.QUEUE_SECONDS.labels(self._name).observe(waited)
                return key
            await self._wait()

    def done(self, key: K) -> None:
        self._state.done(key, self._clock.monotonic())
        self._notify()

    def failed(self, key: K, retry_after: float | None = None) -> float:
        """Try ``key`` again later; returns after how many seconds."""
        metrics.QUEUE_RETRIES.labels(self._name).inc()
        now = self._clock.monotonic()
        delay = self._state.failed(key, now, self._rng.random(), retry_after)
        self._notify()
        return delay

    async def _wait(self) -> None:
        changed = self._changed
        due = self._state.next_at()
        timeout = None if due is None else max(0.0, due - self._clock.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await changed.wait()
        except TimeoutError:
            return

    def _notify(self) -> None:
        metrics.QUEUE_DEPTH.labels(self._name).set(len(self._state))
        self._changed.set()
        self._changed = asyncio.Event()
