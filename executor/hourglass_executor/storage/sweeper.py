"""Forgets ended tasks, in batches so small that no task waits for one."""

import asyncio

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.logs import get_logger
from prometheus_client import CollectorRegistry, Counter

from .port import Store
from .retention import Drop, Retention, too_many, too_old

log = get_logger(__name__)

BATCH = 50
PAUSE_SECONDS = 0.02
PERIOD_SECONDS = 60.0


class Sweeper:
    """``run`` looks once a minute; ``sweep`` once."""

    def __init__(
        self,
        store: Store,
        policy: Retention,
        clock: Clock,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._dropped = Counter(
            "executor_tasks_forgotten",  # the library appends _total
            "Ended tasks that were dropped: for their age, or for there being too many.",
            ("because",),
            registry=registry or CollectorRegistry(),
        )

    async def run(self) -> None:
        """Go on until cancelled; a store that fails is asked again."""
        while True:
            try:
                await self.sweep()
            except HourglassError as error:
                log.warning("old tasks not dropped", error=error.message)
            await asyncio.sleep(PERIOD_SECONDS)

    async def sweep(self) -> int:
        """Drop what is too old, then what is too much; return how many tasks it was."""
        now = self._clock.wall()
        aged = await self._drop(too_old(self._policy, now, BATCH), None)
        held = await self._store.holdings()
        surplus = too_many(self._policy, held, now)
        more = 0 if surplus is None else await self._drop(surplus, surplus.at_most)
        self._dropped.labels("age").inc(aged)
        self._dropped.labels("size").inc(more)
        if aged or more:
            log.info("old tasks dropped", too_old=aged, too_many=more, held=held.ended - more)
        return aged + more

    async def _drop(self, drop: Drop, at_most: int | None) -> int:
        dropped = 0
        while at_most is None or dropped < at_most:
            batch = BATCH if at_most is None else min(BATCH, at_most - dropped)
            done = await self._store.drop_ended(
                Drop(
                    ended_before=drop.ended_before,
                    unknown_before=drop.unknown_before,
                    at_most=batch,
                )
            )
            dropped += done
            if done < batch:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        return dropped
