"""Publishes what draining instances still hold: the thin shell around ``routing.drain_words``."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Protocol

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_executor.deployers.performer_objects import PerformerObjects
from hourglass_executor.routing import drain_words
from hourglass_executor.routing.drain import DrainReport as Load
from hourglass_executor.routing.drain_words import DrainWords, Word
from hourglass_executor.routing.events import EndpointsChanged, Event, PerformerDrained

log = get_logger(__name__)

WRITE_SECONDS = 10.0
FINISH_SECONDS = 2.0
LOOK_SECONDS = 0.1
"""Between two looks while something drains, however many tasks end."""


class Holder(Protocol):
    """Who knows what is in flight: the dispatcher."""

    on_change: Callable[[Event], None] | None

    def drain_reports(self, performer_id: str) -> tuple[Load, ...]: ...


class DrainReporter:
    """Asks ``performers`` for the objects that are reported on, by performer id; ``executor``
    is the name that the reports bear, and no other executor's."""

    def __init__(
        self,
        holder: Holder,
        objects: PerformerObjects,
        performers: Callable[[], Mapping[str, Mapping[str, Any]]],
        *,
        executor: str,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._holder = holder
        self._objects = objects
        self._performers = performers
        self._executor = executor
        self._clock = clock
        self._rng = rng
        self._words: dict[str, DrainWords] = {}
        self._woken = asyncio.Event()
        self._draining = False

    async def run(self) -> None:
        """Report until cancelled."""
        self._holder.on_change = self._on_change
        try:
            while True:
                self._woken.clear()
                await self._say_all()
                await self._wait()
        finally:
            self._holder.on_change = None

    async def finish(self) -> None:
        """Say what has become true since ``run`` last looked: the executor stops."""
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await self._say_all()
        except TimeoutError:
            log.warning("the last drain reports were not written", seconds=FINISH_SECONDS)

    async def _say_all(self) -> None:
        performers = self._performers()
        for performer_id in self._look(performers):
            await self._say(performer_id, performers[performer_id])

    def _on_change(self, event: Event) -> None:
        if self._draining or isinstance(event, EndpointsChanged | PerformerDrained):
            self._woken.set()

    def _look(self, performers: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
        """Return the performers of which something is to be said now."""
        now = self._clock.monotonic()
        self._words = {
            performer_id: drain_words.observe(
                self._words.get(performer_id, DrainWords()),
                self._holder.drain_reports(performer_id),
                now,
            )
            for performer_id in performers
        }
        self._draining = any(words.is_draining for words in self._words.values())
        return [name for name, words in self._words.items() if drain_words.due(words) <= now]

    async def _say(self, performer_id: str, manifest: Mapping[str, Any]) -> None:
        words = self._words[performer_id]
        word = drain_words.word(words, self._clock.monotonic())
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._objects.report(manifest, self._executor, self._reports(word))
        except (HourglassError, TimeoutError) as error:
            if not words.failures:
                log.warning("drain report not written", performer_id=performer_id, error=str(error))
            now, u = self._clock.monotonic(), self._rng.random()
            self._words[performer_id] = drain_words.was_not_said(words, now, u)
        else:
            self._words[performer_id] = drain_words.was_said(words, self._clock.monotonic())

    def _reports(self, word: Word) -> tuple[DrainReport, ...]:
        now = self._clock.wall()
        return tuple(
            DrainReport(
                executor=self._executor,
                revision=figures.revision,
                in_flight=figures.in_flight,
                lost=figures.lost,
                renewed_at=now,
                valid_until=now + timedelta(seconds=word.holds_seconds),
                instances=dict(figures.instances),
            )
            for figures in word.figures
        )

    async def _wait(self) -> None:
        """Wait for news, or until there is something to say, or to forget."""
        at = min(
            (
                min(drain_words.due(words), drain_words.forgets_at(words))
                for words in self._words.values()
            ),
            default=float("inf"),
        )
        left = None if at == float("inf") else max(0.0, at - self._clock.monotonic())
        try:
            async with asyncio.timeout(left):
                await self._woken.wait()
        except TimeoutError:
            return
        if self._draining:
            await asyncio.sleep(LOOK_SECONDS)
