"""What is seen of one endpoint: its connection, its health, told to the router as events."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from random import Random

import grpc
import grpc.aio
from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.health import HealthAnswer
from hourglass_common.runtime.logs import get_logger
from hourglass_services.performer.health import check, watch

from hourglass_executor.routing.events import ConnectionChanged, EndpointKey, HealthChanged
from hourglass_executor.routing.health import (
    Health,
    HealthPolicy,
    next_check_at,
    on_call_succeeded,
    on_check,
    on_watch,
    unasked,
)

log = get_logger(__name__)

Report = Callable[[ConnectionChanged | HealthChanged], object]

_ASK_WATCH_AGAIN = Backoff(minimum=0.5, maximum=30.0)


class Prober:
    """Follows one channel for as long as ``run`` runs, and reports each change once."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        key: EndpointKey,
        *,
        report: Report,
        clock: Clock,
        rng: Random,
        policy: HealthPolicy,
    ) -> None:
        self._channel = channel
        self._key = key
        self._report = report
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._health = unasked(policy)
        self._questions: asyncio.Task[None] | None = None  # while connected
        self._check_now = asyncio.Event()
        self._call_succeeded_at = float("-inf")
        self.last_answer_at: datetime | None = None

    async def run(self) -> None:
        """Keep the channel connected and its health known, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                state = self._channel.get_state(try_to_connect=True)
                if state is not grpc.ChannelConnectivity.READY:
                    self.connection_lost()
                elif self._questions is None:
                    self._connected(group)
                await self._channel.wait_for_state_change(state)

    def connection_lost(self) -> None:
        """Take the endpoint out at once; ``run`` brings it back when it is READY again."""
        if self._questions is None:
            return
        self._questions.cancel()
        self._questions = None
        log.info("performer disconnected", instance=self._key[1], address=self._key[2])
        self._report(ConnectionChanged(self._key, connected=False))
        self._learn(unasked(self._policy))

    def call_succeeded(self) -> None:
        """Take an answered task as proof of life."""
        self._call_succeeded_at = self._clock.monotonic()
        self._learn(on_call_succeeded(self._health))

    def _connected(self, group: asyncio.TaskGroup) -> None:
        self._learn(unasked(self._policy))
        self._report(ConnectionChanged(self._key, connected=True))
        self._questions = group.create_task(self._ask())

    async def _ask(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_watch())
            group.create_task(self._ask_check())

    async def _ask_watch(self) -> None:
        broken = 0
        while True:
            asked_for = self._health.service
            async with aclosing(watch(self._channel, asked_for)) as answers:
                async for answer in answers:
                    self._learn(on_watch(self._health, answer))
                    if answer is HealthAnswer.UNIMPLEMENTED:
                        self._check_now.set()
                        return
                    if answer is not HealthAnswer.NONE:
                        self._answered()
                        broken = 0
                    if self._health.service != asked_for:
                        break
            if self._health.service == asked_for:
                broken += 1
                await asyncio.sleep(_ASK_WATCH_AGAIN.delay(broken, self._rng.random()))

    async def _ask_check(self) -> None:
        asked_at = self._clock.monotonic()
        while True:
            due = next_check_at(
                self._health,
                asked_at=asked_at,
                call_succeeded_at=self._call_succeeded_at,
                policy=self._policy,
            )
            if due == float("inf"):
                return
            wait = due - self._clock.monotonic()
            if wait > 0:
                await self._wait_to_check(wait)
                continue
            asked_at = self._clock.monotonic()
            answer = await check(
                self._channel, self._health.service, timeout_seconds=self._policy.check_timeout
            )
            if answer is not HealthAnswer.NONE:
                self._answered()
            self._learn(on_check(self._health, answer, self._policy))

    async def _wait_to_check(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._check_now.wait()
        except TimeoutError:
            return
        self._check_now.clear()

    def _answered(self) -> None:
        self.last_answer_at = self._clock.wall()

    def _learn(self, health: Health) -> None:
        before, self._health = self._health, health
        if (before.status, before.source) != (health.status, health.source):
            log.info(
                "performer health changed",
                instance=self._key[1],
                address=self._key[2],
                health=health.status.value,
                source=health.source.value,
            )
        if before != health:
            self._report(HealthChanged(self._key, health))
