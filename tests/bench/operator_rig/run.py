"""One run of the bench: its worlds one after the other, and what was measured in each."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hourglass_common.kube.resources import PODS, Resource

from tests.bench.operator_rig import creating, readiness, steady
from tests.bench.operator_rig.bare_client import Step
from tests.bench.operator_rig.changing import change_the_image
from tests.bench.operator_rig.observer import Observer
from tests.bench.operator_rig.performers import Sample, bare_steps, load
from tests.bench.operator_rig.programs import Command, Operator, running
from tests.bench.operator_rig.report import Size, percentile
from tests.bench.operator_rig.stage import Stage
from tests.bench.operator_rig.world import ALONE, PLAYED, QUICK, Kind, admin_client, furnish, world

FLOOR_KINDS = ("replicasets", "services")
WARM = 3
MILLISECONDS = 1000
BARE_ROWS = frozenset({"single", "some", "many", "floor"})
STEADY_ROWS = frozenset({"together", "memory", "idle", "restart", "touched"})


@dataclass
class Figures:
    """What all runs measured, by row: of the operator, of the bare client.

    ``beside`` are figures that no row judges, ``notes`` are words.
    """

    ours: dict[str, list[float]] = field(default_factory=dict)
    bare: dict[str, list[float]] = field(default_factory=dict)
    beside: dict[str, list[float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, key: str, value: float) -> None:
        _say(f"  {key}: {value:.4g}")
        self.ours.setdefault(key, []).append(value)

    def add_bare(self, key: str, value: float) -> None:
        _say(f"  {key}, bare client: {value:.4g}")
        self.bare.setdefault(key, []).append(value)

    def add_beside(self, key: str, value: float) -> None:
        _say(f"  {key}: {value:.4g} (beside)")
        self.beside.setdefault(key, []).append(value)

    def note(self, text: str) -> None:
        _say(f"  ({text})")
        if text not in self.notes:
            self.notes.append(text)


@dataclass
class Run:
    """One run. ``wanted`` are the keys of the rows to measure."""

    command: Command
    size: Size
    wanted: frozenset[str]
    figures: Figures
    folder: Path
    sample: Sample | None = None

    async def measure(self) -> None:
        """Measure all rows; a part that fails leaves its rows out, and the rest goes on."""
        alone = self.wanted & {*BARE_ROWS, "requests", "ready_p50", "ready_p95", "gap", "untrue"}
        await self._part("operator, controllers alone", self._operator_alone)
        if alone & BARE_ROWS:
            await self._part("bare client, controllers alone", self._bare_alone)
        if self.wanted & {"many", "floor"} and not self._floor_is_all():
            await self._part("bare client, floor", self._floor)
        if self.wanted & STEADY_ROWS:
            await self._part("operator, bench plays kubelet", self._steady)
        if "many_nodes" in self.wanted:
            await self._part("operator, scheduler and kwok", self._operator_with_nodes)
            await self._part("bare client, scheduler and kwok", self._bare_with_nodes)

    async def _part(self, name: str, measure: Callable[[], Awaitable[None]]) -> None:
        _say(f"{name}:")
        try:
            await measure()
        except Exception as error:
            reasons = "; ".join(f"{type(e).__name__}: {e}" for e in _leaves(error))
            self.figures.note(f"{name} failed: {reasons[:600]}")

    async def _operator_alone(self) -> None:
        async with self._stage(ALONE, operator=True) as stage:
            self.sample, requests, asked = await creating.learn(stage)
            if "requests" in self.wanted:
                self.figures.add("requests", requests)
                each = {name: n / creating.SAMPLE_COUNT for name, n in sorted(asked.items())}
                self.figures.note(f"requests per CR: {json.dumps(each)}")
            if self.wanted & {"single", "ready_p50", "ready_p95"}:
                await self._one_by_one(stage)
            if self.wanted & {"gap", "untrue"}:
                gap = await change_the_image(stage)
                self.figures.add("gap", gap.without)
                self.figures.add("untrue", gap.untrue)
            for key, count in (("some", self.size.some), ("many", self.size.many)):
                if key in self.wanted:
                    self.figures.add(key, await self._burst(stage, key, count))

    async def _one_by_one(self, stage: Stage) -> None:
        namespace = "single"
        async with stage.namespace(namespace, self._kinds()) as observer:
            seconds = await creating.one_by_one(
                stage, namespace, observer, self._known(), load(namespace), self.size.single
            )
            self.figures.add("single", MILLISECONDS * percentile(seconds, 0.5))
            await observer.until(
                lambda: len(observer.all(PODS)) >= self.size.single, "a pod for each"
            )
            await stage.bind(namespace, observer)
            await observer.quiet(2.0)
            turned = await readiness.one_by_one(stage, namespace, observer)
        for key, share in (("ready_p50", 0.5), ("ready_p95", 0.95)):
            patch = percentile((turn.from_patch for turn in turned), share)
            seen = percentile((turn.from_seen for turn in turned), share)
            self.figures.add(key, MILLISECONDS * patch)
            self.figures.add_beside(f"{key}_from_the_watch", MILLISECONDS * seen)

    async def _bare_alone(self) -> None:
        async with self._stage(ALONE) as stage:
            await self._warm(stage)
            namespace = "single"
            if "single" in self.wanted:
                async with stage.namespace(namespace, self._kinds()) as observer:
                    steps = self._bare_steps(namespace)
                    seconds = await creating.one_by_one(
                        stage, namespace, observer, self._known(), steps, self.size.single
                    )
                    await observer.quiet()
                self.figures.add_bare("single", MILLISECONDS * percentile(seconds, 0.5))
            for key, count in (("some", self.size.some), ("many", self.size.many)):
                if self.wanted & ({key, "floor"} if key == "many" else {key}):
                    seconds_of = await self._burst(stage, key, count, bare=True)
                    self.figures.add_bare(key, seconds_of)
                    if key == "many" and self._floor_is_all():
                        self.figures.add("floor", seconds_of)

    async def _floor(self) -> None:
        async with self._stage(ALONE) as stage:
            await self._warm(stage)
            counts = {plural: self._known().counts().get(plural, 0) for plural in FLOOR_KINDS}
            seconds = await self._burst(stage, "floor", self.size.many, bare=True, only=counts)
            self.figures.add("floor", seconds)

    def _floor_is_all(self) -> bool:
        return self.sample is not None and set(self.sample.counts()) == set(FLOOR_KINDS)

    async def _steady(self) -> None:
        namespace, count = "steady", self.size.many
        async with (
            self._stage(QUICK, operator=True) as stage,
            stage.namespace(namespace, self._kinds()) as observer,
        ):
            operator = stage.operator
            assert operator is not None
            names = [f"many-{number:04}" for number in range(count)]
            await stage.spend(load(namespace), names)
            await observer.first_status(names).wait(creating.WITHIN)
            await observer.until(lambda: len(observer.all(PODS)) >= count, "a pod for each")
            await stage.bind(namespace, observer)
            await observer.quiet(2.0)
            if "together" in self.wanted:
                await stage.restart_controllers("limited", limited=True)
            found = await readiness.all_together(stage, namespace, observer, names)
            self.figures.add("together", found.seconds)
            self.figures.add_beside("together_patches", found.patching)
            self.figures.note(f"{count} pods Ready: {found.seconds:.1f} s, {found.used}")
            if "together" in self.wanted:
                await stage.restart_controllers("unlimited", limited=False)
            await observer.quiet(2.0)
            await self._idle(stage, operator, observer)

    async def _idle(self, stage: Stage, operator: Operator, observer: Observer) -> None:
        if "memory" in self.wanted:
            self.figures.add("memory", await steady.memory(operator))
        if "idle" in self.wanted:
            self.figures.add("idle", await steady.writes_while_idle(stage, self.size.idle_seconds))
        if self.wanted & {"restart", "touched"}:
            restarted = await steady.restart(stage, observer, operator, self.size.many)
            self.figures.add("restart", restarted.seconds)
            self.figures.add("touched", restarted.pods_touched)

    async def _operator_with_nodes(self) -> None:
        async with self._stage(PLAYED, operator=True) as stage:
            await self._warm(stage, bare=False)
            seconds = await self._burst(stage, "many", self.size.many)
            self.figures.add("many_nodes", seconds)

    async def _bare_with_nodes(self) -> None:
        async with self._stage(PLAYED) as stage:
            await self._warm(stage)
            seconds = await self._burst(stage, "many", self.size.many, bare=True)
            self.figures.add_bare("many_nodes", seconds)

    async def _burst(
        self,
        stage: Stage,
        namespace: str,
        count: int,
        *,
        bare: bool = False,
        only: dict[str, int] | None = None,
    ) -> float:
        """Return the seconds of one burst, and let the controllers come to rest after it."""
        counts = only or self._known().counts()
        steps = self._bare_steps(namespace, *(only or ())) if bare else load(namespace)
        async with stage.namespace(namespace, self._kinds()) as observer:
            burst = await creating.all_at_once(stage, observer, counts, steps, count)
            if count != self.size.many:
                await observer.quiet()
        who = "bare client" if bare else "operator"
        kind = "with scheduler and kwok" if stage.world.kind.nodes else "controllers alone"
        self.figures.note(f"{count} by the {who}, {kind}: {burst.seconds:.1f} s, {burst.used}")
        return burst.seconds

    async def _warm(self, stage: Stage, *, bare: bool = True) -> None:
        """Make a few, so that the first measured one does not pay for what comes once."""
        steps = self._bare_steps("warm") if bare else load("warm")
        async with stage.namespace("warm", self._kinds()) as observer:
            await creating.all_at_once(stage, observer, self._known().counts(), steps, WARM)
            await observer.quiet()

    def _bare_steps(self, namespace: str, *only: str) -> list[Step]:
        return bare_steps(self._known(), namespace, only=only)

    def _known(self) -> Sample:
        if self.sample is None:
            raise RuntimeError("it is not known what the operator makes of a Performer")
        return self.sample

    def _kinds(self) -> list[Resource]:
        return [resource for resource, _ in self._known().children]

    @asynccontextmanager
    async def _stage(self, kind: Kind, *, operator: bool = False) -> AsyncIterator[Stage]:
        with _fresh(self.folder) as folder, world(folder, kind) as made:
            async with await admin_client(made) as client:
                await furnish(client)
                if not operator:
                    yield Stage(made, client)
                    return
                log = folder / "operator.log"
                async with running(self.command, made.operator_kubeconfig, log) as process:
                    yield Stage(made, client, process)


@contextmanager
def _fresh(parent: Path) -> Iterator[Path]:
    number = sum(1 for _ in parent.iterdir())
    folder = parent / f"world-{number}"
    folder.mkdir()
    yield folder


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
