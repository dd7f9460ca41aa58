"""Disturb a rollout at one of the operator's writes, and say what became of it."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from hourglass_common.kube.resources import PERFORMERS

from tests.support.control_plane import ControlPlane
from tests.support.fault_proxy import BREAK_OFF, Answer, Asked, FaultProxy, fault_proxy, pass_on
from tests.support.history import History
from tests.support.operator_cluster import Cluster, namespace_of_a_test
from tests.support.operator_process import OperatorProcess, start_operator
from tests.support.rollout_scenarios import Scenario, outcome

Mode = Literal["none", "before", "after", "lost"]
"""Killed before the write reaches the API, after it did, or alive with its answer lost."""

WITHIN_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
REST_SECONDS = 3.0
LATE_SECONDS = 6.0
"""A status may lag for 5 s where only counts changed."""


@dataclass(frozen=True)
class Point:
    """Write ``k`` of a scenario, counted from 1, and what happens there."""

    scenario: Scenario
    mode: Mode = "none"
    k: int = 0
    delete_while_down: bool = False

    def __str__(self) -> str:
        return "gone-" * self.delete_while_down + f"{self.scenario.name}-{self.mode}-{self.k}"


@dataclass
class Run:
    """What became of one point; ``problems`` are in words. Times are seconds from the restart."""

    point: Point
    reached: bool = False
    seconds: float = 0.0
    seconds_from_ready: float = 0.0
    writes: list[str] = field(default_factory=list[str])
    additions: Counter[str] = field(default_factory=Counter[str])
    outcome: dict[str, Any] = field(default_factory=dict[str, Any])
    problems: list[str] = field(default_factory=list[str])


@dataclass
class Lane:
    """One namespace, one proxy and one operator at a time; scenarios run one after another."""

    cluster: Cluster
    proxy: FaultProxy
    history: History
    operator: OperatorProcess
    settings: dict[str, str]
    group: asyncio.TaskGroup
    runs: list[Run] = field(default_factory=list[Run])
    operators: list[OperatorProcess] = field(default_factory=list[OperatorProcess])
    resting: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self, point: Point) -> Run:
        """Bring a performer to where ``point`` begins, disturb it there, and look at the end."""
        name, scenario, run = str(point).lower(), point.scenario, Run(point)
        self.runs.append(run)
        if scenario.act is not None:
            await self._begin(name, scenario, run)
        since = len(self.proxy.journal)
        first = int(await self._performers_version())
        hit = self._arm(name, point)
        await self._act(name, scenario)
        acted_at = time.monotonic()
        run.reached = await self._until_hit(hit, name, scenario) if point.k else False
        if run.reached and point.mode != "lost":
            await self.restart(name if point.delete_while_down else "")
            acted_at = self.operator.started_at
            await self.operator.ready(PATIENCE_SECONDS)  # before that, all may look well
        elif run.reached:
            acted_at = time.monotonic()
        if point.delete_while_down and run.reached:
            await self._gone(run, name)
            return run
        missing = await self._until_goal(name, scenario)
        run.seconds = time.monotonic() - acted_at
        run.seconds_from_ready = run.seconds - max(0.0, self.operator.ready_at - acted_at)
        self.proxy.before = self.proxy.after = pass_on
        if missing:
            run.problems.append(f"not converged: {missing}\n{self.operator.text()}")
        if scenario.act is not None and not scenario.again:
            least = min((n for _, n in self.history.selected(name, first)), default=0)
            if least < 1:
                run.problems.append("at some moment the Service selected no ready pod")
        rest = self.group.create_task(self._rest(name, run, since, len(self.proxy.journal)))
        self.resting.add(rest)
        rest.add_done_callback(self.resting.discard)
        return run

    async def restart(self, delete: str = "") -> None:
        """Start the operator again after it was killed; ``delete`` a performer in between."""
        await self.operator.ended()
        if delete:
            await self.cluster.client.delete(PERFORMERS, self.cluster.namespace, delete)
        self.operator = await start_operator(
            self.proxy.kubeconfig, self.cluster.namespace, **self.settings
        )
        self.operators.append(self.operator)

    async def _begin(self, name: str, scenario: Scenario, run: Run) -> None:
        await self.cluster.create(name, **scenario.start)
        for change, goal in scenario.before:
            if change.spec:
                await self.cluster.patch(name, change.patch({}))
            if not await self.history.until(lambda g=goal: not g.misses(self.history, name), 20):  # type: ignore[misc]
                run.problems.append(f"did not begin: {goal.misses(self.history, name)}")

    async def _act(self, name: str, scenario: Scenario) -> None:
        if scenario.act is None:
            await self.cluster.create(name, **scenario.start)
        elif scenario.again:
            await self.cluster.client.delete(PERFORMERS, self.cluster.namespace, name)
            await self.cluster.create(name, **{**scenario.start, **scenario.act.spec})
        else:
            performer = self.history.objects["performers", name]
            await self.cluster.patch(name, scenario.act.patch(performer))

    async def _until_hit(self, hit: asyncio.Event, name: str, scenario: Scenario) -> bool:
        """Return whether the write came; some of a status come a while after all is done."""
        waiting = self.group.create_task(hit.wait())
        converged = self.group.create_task(self._until_goal(name, scenario))
        await asyncio.wait({converged, waiting}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({waiting}, timeout=LATE_SECONDS)
        for task in (waiting, converged):
            task.cancel()
        return hit.is_set()

    async def _until_goal(self, name: str, scenario: Scenario) -> str:
        def there() -> bool:
            return not scenario.goal.misses(self.history, name)

        await self.history.until(there, PATIENCE_SECONDS)
        return scenario.goal.misses(self.history, name)

    def _arm(self, name: str, point: Point) -> asyncio.Event:
        """Let the proxy disturb write ``k`` of a performer; the event is set when it was."""
        hit, count = asyncio.Event(), 0
        chosen: Asked | None = None

        async def before(asked: Asked) -> Answer | None:
            nonlocal count, chosen
            if not _is_about(asked, name) or hit.is_set():
                return None
            count += 1
            if count == point.k and point.mode != "none":
                chosen = asked
                if point.mode == "before":
                    return strike()
            return None

        async def after(asked: Asked) -> Answer | None:
            return strike() if asked is chosen and point.mode != "before" else None

        def strike() -> Answer:
            hit.set()
            if point.mode != "lost":
                self.operator.send(signal.SIGKILL)
            return BREAK_OFF

        self.proxy.before, self.proxy.after = before, after
        return hit

    async def _performers_version(self) -> str:
        page = await self.cluster.client.list(PERFORMERS, self.cluster.namespace, limit=1)
        return page.resource_version

    async def _rest(self, name: str, run: Run, since: int, converged: int) -> None:
        """See that nothing more is written, keep how it ended, and take the performer away."""
        late_until = time.monotonic() + LATE_SECONDS + REST_SECONDS
        while True:
            later = self._about(name, converged)
            last = max((w.at for w in later), default=0.0)
            if time.monotonic() > max(last + REST_SECONDS, late_until - LATE_SECONDS):
                break
            if time.monotonic() > late_until:
                run.problems.append("it does not come to rest")
                break
            await asyncio.sleep(0.2)
        if len(later) > 3 or any(w.subresource != "status" for w in later):
            run.problems.append(f"written after the end: {[w.what for w in later]}")
        run.writes = [w.what.replace(name, "demo") for w in self._about(name, since)]
        run.outcome = deepcopy(outcome(self.history, name))
        run.additions = Counter(
            {k.replace(name, "demo"): n for k, n in self.history.additions(name).items()}
        )
        await self.cluster.client.delete(PERFORMERS, self.cluster.namespace, name)
        await self._gone(run, name)

    async def _gone(self, run: Run, name: str) -> None:
        since, deleted_at = len(self.proxy.journal), time.monotonic()
        if not await self.history.until(lambda: not self.history.of(name), PATIENCE_SECONDS):
            run.problems.append(f"left after the deletion: {list(self.history.of(name))}")
        if run.point.delete_while_down:
            await self.operator.ready()
            run.seconds = time.monotonic() - deleted_at
        # A child's end may be seen before its owner's: then it is made once more, for nobody, and
        # the garbage collector takes it. An operator that starts after both sees neither.
        allowed = set[str]() if run.point.delete_while_down else {"create"}
        writes = [w for w in self._about(name, since) if w.status < 300]
        done = [w for w in writes if w.verb not in allowed]
        if done:
            run.problems.append(f"written after the deletion: {[w.what for w in done]}")

    def _about(self, name: str, since: int) -> list[Asked]:
        return [w for w in self.proxy.writes(since=since) if _is_about(w, name)]


def _is_about(asked: Asked, name: str) -> bool:
    """Return whether a request writes a performer or one of its children."""
    if not asked.is_write or asked.resource in ("events", "leases"):
        return False
    own = asked.name.removeprefix("performer-")
    return own == name or own.startswith(f"{name}-")


@asynccontextmanager
async def lane(plane: ControlPlane, namespace: str, **settings: str) -> AsyncIterator[Lane]:
    """Open a lane with its operator ready; at the end all that rests in it is waited for."""
    async with (
        namespace_of_a_test(plane, namespace) as cluster,
        fault_proxy(plane.url, plane.kubeconfig) as proxy,
        asyncio.TaskGroup() as group,
    ):
        history = History(cluster.client, namespace)
        following = group.create_task(history.run())
        operator = await start_operator(proxy.kubeconfig, namespace, **settings)
        found = Lane(cluster, proxy, history, operator, settings, group)
        found.operators.append(operator)
        try:
            await operator.ready()
            yield found
            if found.resting:
                await asyncio.wait(found.resting)
        finally:
            await found.operator.kill()
            following.cancel()
