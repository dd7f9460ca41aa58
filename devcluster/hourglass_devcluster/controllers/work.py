"""The keys that a controller must look at, and the loop that looks at them one by one."""

import asyncio
from collections.abc import Awaitable, Callable

from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.watch_state import Key
from hourglass_common.runtime.logs import get_logger

log = get_logger(__name__)

RETRY = Backoff(minimum=0.05, maximum=10.0, jitter=0.0)


class Work:
    """A set of keys with the time at which each is due: bounded by the objects there are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._news = asyncio.Event()

    def add(self, key: Key, after: float = 0.0) -> None:
        """Look at ``key`` in ``after`` seconds, or sooner if that was asked for."""
        due = self._clock.monotonic() + after
        self._due[key] = min(due, self._due.get(key, due))
        self._news.set()

    async def take(self) -> Key:
        """Wait for the next key that is due, and take it."""
        while True:
            self._news.clear()
            now = self._clock.monotonic()
            first = min(self._due.items(), key=lambda item: item[1], default=None)
            if first is not None and first[1] <= now:
                del self._due[first[0]]
                return first[0]
            try:
                async with asyncio.timeout(None if first is None else first[1] - now):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def run(self, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
        """Reconcile keys as they fall due, until cancelled; what fails is tried again later.

        ``reconcile`` returns the seconds until it wants to look again, None for on change only.
        """
        while True:
            key = await self.take()
            try:
                again = await reconcile(key)
            except HourglassError as error:
                failures = self._failures.get(key, 0) + 1
                self._failures[key] = failures
                log.info("reconcile failed", key="/".join(key), error=error.message)
                again = RETRY.delay(failures, 0.0)
            else:
                self._failures.pop(key, None)
            if again is not None:
                self.add(key, again)
