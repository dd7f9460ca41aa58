"""Measurements of making: what one Performer costs, how long one takes, and how long many."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hourglass_common.kube.objects import controller_of
from hourglass_common.kube.resources import PERFORMERS, Manifest, Resource

from tests.bench.operator_rig.audit import AuditLog, requests
from tests.bench.operator_rig.bare_client import Step
from tests.bench.operator_rig.kubelet import PlayedKubelet
from tests.bench.operator_rig.observer import Observer, Seen
from tests.bench.operator_rig.performers import CHILD_KINDS, Sample, performer
from tests.bench.operator_rig.processors import Snapshot, Used, used
from tests.bench.operator_rig.programs import bare_client
from tests.bench.operator_rig.stage import CONNECTIONS, PAUSE, Stage
from tests.bench.operator_rig.world import OPERATOR

SAMPLES = "bench-sample-namespace"
SAMPLE_COUNT = 5
WITHIN = 300.0


async def learn(stage: Stage) -> tuple[Sample, float, Counter[str]]:
    """Return a sample, and what each of a few Performers cost from create to Ready in requests."""
    log = AuditLog(stage.world.audit_log)
    async with stage.namespace(SAMPLES) as observer, asyncio.TaskGroup() as group:
        kubelet = PlayedKubelet(stage.client, SAMPLES, observer, ready_after=0.5, ends_after=0)
        playing = group.create_task(kubelet.run())
        first: dict[str, Any] = {}

        def listener(seen: Seen) -> None:
            if seen.plural == PERFORMERS.plural and seen.found.get("status"):
                first.setdefault(seen.name, seen.found["status"])

        observer.listeners.append(listener)
        log.mark()
        name = ""
        for number in range(SAMPLE_COUNT):
            name = f"bench-sample-{number}"
            await stage.client.create(PERFORMERS, SAMPLES, performer(name))
            await observer.ready([name]).wait(30)
            await observer.quiet(1.0)
        asked = requests(log.since(), OPERATOR, SAMPLES)
        found = observer.objects[PERFORMERS.plural, name]
        sample = Sample(found, await _children(stage, found), first[name])
        playing.cancel()
        await stage.clear(SAMPLES, observer)
    return sample, asked.total() / SAMPLE_COUNT, asked


async def _children(stage: Stage, owner: Manifest) -> tuple[tuple[Resource, Manifest], ...]:
    found: list[tuple[Resource, Manifest]] = []
    for resource in CHILD_KINDS:
        page = await stage.client.list(resource, owner["metadata"]["namespace"])
        mine = [item for item in page.items if controller_of(item) == owner["metadata"]["uid"]]
        found += [(resource, item) for item in mine]
    return tuple(found)


async def one_by_one(
    stage: Stage,
    namespace: str,
    observer: Observer,
    sample: Sample,
    steps: Sequence[Step],
    count: int,
) -> list[float]:
    """Return for each of so many Performers the seconds from its POST to its last child."""
    names = [f"one-{number:03}" for number in range(count)]
    found: list[float] = []
    async with bare_client(
        stage.world.folder, stage.world.bare, steps, names, stepwise=True
    ) as client:
        for name in names:
            children = observer.children_of([name], sample.counts())
            spent = await client.go()
            found.append(await children.wait(30) - spent.began)
            await observer.first_status([name]).wait(30)
            await asyncio.sleep(PAUSE)
            observer.listeners.clear()
    return found


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds from the first POST to the last child and first status, and who worked in them."""

    seconds: float
    used: Used


async def all_at_once(
    stage: Stage,
    observer: Observer,
    counts: dict[str, int],
    steps: Sequence[Step],
    count: int,
) -> Burst:
    """Make so many Performers at once, and see all of their children and first statuses."""
    names = [f"many-{number:04}" for number in range(count)]
    children = observer.children_of(names, counts)
    status = observer.first_status(names)
    async with bare_client(
        stage.world.folder, stage.world.bare, steps, names, connections=CONNECTIONS
    ) as client:
        before = Snapshot.take(stage.world.folder)
        spent = await client.go()
        ended = max(await children.wait(WITHIN), await status.wait(WITHIN))
        after = Snapshot.take(stage.world.folder)
    observer.listeners.clear()
    return Burst(ended - spent.began, used(before, after, os.cpu_count() or 1))
