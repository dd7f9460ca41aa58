"""One run: a fresh world with 1000 Performers, and what PerformerControl does for its callers."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_common.kube.resources import PERFORMERS
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Filter

from tests.bench.control_rig.calls import (
    Caller,
    calling,
    create_request,
    get_request,
    list_request,
    per_second,
    seconds_of,
)
from tests.bench.control_rig.rows import CREATING, Size
from tests.bench.control_rig.watchers import LABEL, latencies, watching
from tests.bench.operator_rig.performers import load, performer
from tests.bench.operator_rig.programs import Command, Operator, running
from tests.bench.operator_rig.report import percentile
from tests.bench.operator_rig.run import Figures
from tests.bench.operator_rig.stage import Stage
from tests.bench.operator_rig.wire import Wire
from tests.bench.operator_rig.world import ALONE, admin_client, furnish, world

MILLISECONDS = 1000
BASE, MADE = "control", "made"
PACED_PER_SECOND = 50
PACED_WATCHERS = 10
WARM = 32
"""Patches before those that are measured: the API server's first ones take most of a second."""
MERGE_PATCH = "application/merge-patch+json"


@dataclass
class Run:
    """One run; figures go to ``figures``."""

    size: Size
    figures: Figures
    folder: Path

    async def measure(self) -> None:
        with world(self.folder, ALONE) as made:
            async with await admin_client(made) as client:
                await furnish(client)
                log = self.folder / "operator.log"
                async with running(Command(), made.operator_kubeconfig, log) as operator:
                    stage = Stage(made, client, operator)
                    async with calling(operator.control) as caller:
                        await self._all(stage, operator, caller)

    async def _all(self, stage: Stage, operator: Operator, caller: Caller) -> None:
        for namespace in (BASE, MADE):
            async with stage.namespace(namespace):
                pass
        names = [f"many-{number:04}" for number in range(self.size.performers)]
        await stage.spend(load(BASE), names)
        await settled(operator)
        await self._lists(caller)
        await self._gets(caller, names)
        await self._watches(stage, operator, caller, names)
        await self._creates(stage, operator, caller)
        self.figures.add("memory", operator.memory() / 2**20)

    async def _lists(self, caller: Caller) -> None:
        ask, request = caller.method("ListPerformers"), list_request(BASE)

        async def parsed() -> None:
            message = control_pb2.ListPerformersResponse.FromString(await ask(request))
            assert len(message.performers) == self.size.performers

        self.figures.add("list_first", MILLISECONDS * await seconds_of(parsed))
        self.figures.add_beside("list_kilobytes", len(await ask(request)) / 1024)
        times = [await seconds_of(parsed) for _ in range(self.size.lists)]
        self.figures.add("list", MILLISECONDS * percentile(times, 0.5))
        times = [await seconds_of(lambda: ask(request)) for _ in range(self.size.lists)]
        self.figures.add("list_bytes", MILLISECONDS * percentile(times, 0.5))
        client = PerformerControlClient(caller.channels[0])

        async def manifests() -> None:
            await client.list(Filter(namespace=BASE), page_size=1000)

        times = [await seconds_of(manifests) for _ in range(self.size.lists // 4)]
        self.figures.add_beside("list_as_manifests", MILLISECONDS * percentile(times, 0.5))

    async def _gets(self, caller: Caller, names: list[str]) -> None:
        requests = [get_request(BASE, names[n % len(names)]) for n in range(self.size.gets)]
        ask = caller.method("GetPerformer")
        times = [await seconds_of(lambda request=request: ask(request)) for request in requests]  # type: ignore[misc]
        self.figures.add("get", MILLISECONDS * percentile(times, 0.5))
        rate = await per_second(lambda n: caller.method("GetPerformer", n), requests, CREATING[-1])
        self.figures.add("gets", rate)

    async def _creates(self, stage: Stage, operator: Operator, caller: Caller) -> None:
        """Ours and bare POSTs of the same objects, by turns, the operator at work on both."""
        spec = performer("")["spec"]
        for callers in CREATING:
            count = self.size.creates if callers > 1 else self.size.creates // 4
            names = [f"bare-{callers}-{number:04}" for number in range(count)]
            spent = await stage.spend(load(MADE), names, connections=callers)
            self.figures.add_bare(f"create_{callers}", count / spent.seconds)
            await settled(operator)
            requests = [
                create_request(MADE, f"ours-{callers}-{number:04}", spec) for number in range(count)
            ]
            rate = await per_second(
                lambda number: caller.method("CreatePerformer", number), requests, callers
            )
            self.figures.add(f"create_{callers}", rate)
            await settled(operator)

    async def _watches(
        self, stage: Stage, operator: Operator, caller: Caller, names: list[str]
    ) -> None:
        wires = [await Wire.open(stage.world.admin) for _ in range(16)]
        await patched(wires, names, range(WARM), 0.0)
        numbers = range(WARM, WARM + int(PACED_PER_SECOND * self.size.paced_seconds))
        async with watching(caller, BASE, PACED_WATCHERS, numbers) as watchers:
            sent = await patched(wires, names, numbers, 1 / PACED_PER_SECOND)
            await watchers.until(len(numbers) * PACED_WATCHERS)
            found = latencies(sent, watchers)
            for row, share in (("latency_p50", 0.5), ("latency_p99", 0.99)):
                self.figures.add(row, MILLISECONDS * percentile(found, share))
        await settled(operator)
        numbers = range(10_000, 10_000 + self.size.patches)
        async with watching(caller, BASE, self.size.watchers, numbers) as watchers:
            began = time.monotonic()
            await patched(wires, names, numbers, 0.0)
            patching = time.monotonic() - began
            await watchers.until(self.size.patches * self.size.watchers)
            self.figures.add("fan_out", watchers.total / (watchers.last - began))
            self.figures.add_beside("fan_out_patches_per_second", self.size.patches / patching)
        for wire in wires:
            wire.close()


async def patched(
    wires: list[Wire], names: list[str], numbers: range, pause: float
) -> dict[int, float]:
    """Write each number into a label of one Performer after the other.

    Returns when each was sent.
    """
    sent: dict[int, float] = {}
    waiting = iter(numbers)
    began = time.monotonic()

    async def work(wire: Wire) -> None:
        for number in waiting:
            due = began + pause * (number - numbers.start)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            body = orjson.dumps({"metadata": {"labels": {LABEL: str(number)}}})
            path = PERFORMERS.path(BASE, names[number % len(names)])
            sent[number] = time.monotonic()
            status, answer = await wire.ask("PATCH", path, MERGE_PATCH, body)
            if status >= 400:
                raise RuntimeError(f"{path}: {status} {answer.decode()}")

    async with asyncio.TaskGroup() as group:
        for wire in wires:
            group.create_task(work(wire))
    return sent


async def settled(operator: Operator) -> None:
    """Return once the operator has nothing to do for a while."""
    quiet = 0
    while quiet < 4:
        await asyncio.sleep(0.5)
        quiet = quiet + 1 if await operator.has_reconciled(0) else 0
