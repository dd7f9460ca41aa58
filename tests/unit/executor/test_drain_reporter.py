"""The shell that writes drain reports: one look after the other, and a last one at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.deployers.performer_objects import Seen
from hourglass_executor.rollout.reporter import DrainReporter
from hourglass_executor.routing.drain import DrainReport as Load
from hourglass_executor.routing.drain import InstanceLoad, report
from hourglass_executor.routing.events import EndpointsChanged, Event

MANIFEST = {"metadata": {"name": "demo", "uid": "u"}}


@dataclass
class PlayedHolder:
    """Holds what the test says; ``lost`` and the rest are of revision r1."""

    instances: tuple[InstanceLoad, ...] = ()
    on_change: Callable[[Event], None] | None = None

    def drain_reports(self, performer_id: str) -> tuple[Load, ...]:
        return (report(performer_id, "r1", instances=self.instances, lost=0),)

    def becomes(self, *instances: InstanceLoad) -> None:
        self.instances = instances
        if self.on_change is not None:
            self.on_change(EndpointsChanged("0xa", "p", ()))


@dataclass
class PlayedObjects:
    """Keeps the reports; ``broken`` refuses them."""

    said: list[DrainReport] = field(default_factory=list[DrainReport])
    broken: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def report(
        self, performer: Mapping[str, Any], executor: str, reports: Sequence[DrainReport]
    ) -> None:
        self.asked.set()
        if self.broken:
            raise HourglassError(Code.UNAVAILABLE, "away")
        self.said += reports

    async def create(
        self, name: str, spec: Mapping[str, Any], labels: Mapping[str, str]
    ) -> Mapping[str, Any]:
        raise NotImplementedError

    async def find(self, name: str) -> Mapping[str, Any] | None:
        raise NotImplementedError

    async def delete(self, name: str, uid: str) -> None:
        raise NotImplementedError

    async def run(self, seen: Seen) -> None:
        raise NotImplementedError


@asynccontextmanager
async def reporting(holder: PlayedHolder, objects: PlayedObjects) -> AsyncIterator[DrainReporter]:
    reporter = DrainReporter(
        holder,
        objects,
        lambda: {"p": MANIFEST},
        executor="one",
        clock=SystemClock(),
        rng=Random(1),
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reporter.run())
        await asyncio.sleep(0)  # it looks for the first time
        try:
            yield reporter
        finally:
            task.cancel()


def serving(count: int) -> InstanceLoad:
    return InstanceLoad(instance="a", in_flight=count, latest_deadline=None, in_service=True)


def draining(count: int) -> InstanceLoad:
    return InstanceLoad(instance="a", in_flight=count, latest_deadline=None)


async def test_a_drain_is_written_as_soon_as_it_begins() -> None:
    holder, objects = PlayedHolder((serving(1),)), PlayedObjects()
    async with reporting(holder, objects):
        holder.becomes(draining(1))
        async with asyncio.timeout(1):
            await objects.asked.wait()
    (said,) = objects.said
    assert (said.executor, said.revision, said.in_flight) == ("one", "r1", 1)
    assert said.instances == {"a": 1}


async def test_what_ended_after_the_last_look_is_said_when_the_executor_stops() -> None:
    holder, objects = PlayedHolder((serving(1),)), PlayedObjects()
    async with reporting(holder, objects) as reporter:
        holder.becomes(draining(1))
        async with asyncio.timeout(1):
            await objects.asked.wait()
        holder.becomes()
    await reporter.finish()
    assert [said.in_flight for said in objects.said] == [1, 0]


async def test_nothing_is_said_at_a_stop_without_a_drain() -> None:
    holder, objects = PlayedHolder((serving(1),)), PlayedObjects()
    async with reporting(holder, objects) as reporter:
        pass
    await reporter.finish()
    assert objects.said == []


async def test_a_report_that_fails_is_warned_of_once(capfd: pytest.CaptureFixture[str]) -> None:
    holder, objects = PlayedHolder((serving(1),)), PlayedObjects(broken=True)
    async with reporting(holder, objects):
        holder.becomes(draining(1))
        for _ in range(2):
            async with asyncio.timeout(3):
                await objects.asked.wait()
            objects.asked.clear()
    assert capfd.readouterr().out.count("drain report not written") == 1
