"""Measurements of pods that turn Ready: one after the other, and all together."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from hourglass_common.kube.objects import is_pod_ready, labels
from hourglass_common.kube.resources import PODS

from tests.bench.operator_rig.kubelet import ready_step
from tests.bench.operator_rig.observer import Countdown, Observer, Seen
from tests.bench.operator_rig.processors import Snapshot, Used, used
from tests.bench.operator_rig.programs import bare_client
from tests.bench.operator_rig.stage import PAUSE, Stage

PERFORMER_LABEL = "hourglass.eigenlayer.io/performer"
CONNECTIONS = 32
WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Turned:
    """Seconds until the CR was Ready: from the patch of the pod, and from when it was seen."""

    from_patch: float
    from_seen: float


async def one_by_one(stage: Stage, namespace: str, observer: Observer) -> list[Turned]:
    """Make each pod of the namespace, bound and not Ready, Ready, and see its Performer so."""
    pods = {pod["metadata"]["name"]: labels(pod)[PERFORMER_LABEL] for pod in observer.all(PODS)}
    found: list[Turned] = []
    steps = [ready_step(namespace)]
    async with bare_client(
        stage.world.folder, stage.world.admin, steps, list(pods), stepwise=True
    ) as client:
        for pod, performer in pods.items():
            ready, seen = observer.ready([performer]), _pods_ready(observer, [pod])
            spent = await client.go()
            ended = await ready.wait(30)
            found.append(Turned(ended - spent.began, ended - await seen.wait(30)))
            await asyncio.sleep(PAUSE)
            observer.listeners.clear()
    return found


@dataclass(frozen=True, slots=True)
class Together:
    """Seconds from the first patch until the last was answered, and until all CRs were Ready."""

    patching: float
    seconds: float
    used: Used


async def all_together(
    stage: Stage, namespace: str, observer: Observer, performers: Sequence[str]
) -> Together:
    """Make every pod of the namespace Ready as fast as it goes."""
    pods = [pod["metadata"]["name"] for pod in observer.all(PODS)]
    ready = observer.ready(performers)
    before = Snapshot.take(stage.world.folder)
    spent = await stage.spend([ready_step(namespace)], pods, connections=CONNECTIONS)
    ended = await ready.wait(WITHIN)
    after = Snapshot.take(stage.world.folder)
    observer.listeners.clear()
    found = used(before, after, os.cpu_count() or 1)
    return Together(spent.seconds, ended - spent.began, found)


def _pods_ready(observer: Observer, names: Sequence[str]) -> Countdown:
    countdown = Countdown("pod Ready", {(PODS.plural, name): 1 for name in names})

    def listener(seen: Seen) -> None:
        if seen.plural == PODS.plural and is_pod_ready(seen.found):
            countdown.saw((seen.plural, seen.name), seen.at)

    observer.listeners.append(listener)
    return countdown
