"""Two operators: one leads, is frozen, loses its lease or ends, and the other goes on."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from hourglass_common.kube.resources import LEASES
from hourglass_operator.runtime.leader import LEASE_NAME

from tests.support.control_plane import ControlPlane
from tests.support.fault_proxy import Answer, Asked, FaultProxy, fault_proxy, pass_on
from tests.support.history import History
from tests.support.operator_cluster import Cluster, namespace_of_a_test
from tests.support.operator_process import OperatorProcess, start_operator
from tests.support.rollout_scenarios import PROMOTE, UPGRADE, Goal, Scenario

pytestmark = [pytest.mark.real_api, pytest.mark.timeout(240)]

LEASE_SECONDS = 3.0
SHORT = {
    "leader_elect_lease_duration": str(LEASE_SECONDS),
    "leader_elect_renew_deadline": "2",
    "leader_elect_retry_period": "0.5",
}
TAKEOVER_SECONDS = LEASE_SECONDS + 5.0
PAUSES, PAUSES_IN_FULL = 3, 10


@dataclass
class Replica:
    """One operator with a proxy of its own: its journal is what this replica wrote."""

    proxy: FaultProxy
    operator: OperatorProcess

    def lease_writes(self) -> list[Asked]:
        return [a for a in self.proxy.journal if a.resource == "leases" and a.is_write]

    def acquired_at(self) -> float:
        """Return when the API had taken its first write of the lease, 0.0 if it never did."""
        return next((a.answered_at for a in self.lease_writes() if 200 <= a.status < 300), 0.0)

    async def acquired(self, seconds: float = 30.0) -> float:
        async with asyncio.timeout(seconds):
            while not self.acquired_at():
                await asyncio.sleep(0.02)
        return self.acquired_at()

    def effective_writes(self, since: float) -> list[str]:
        """Return what it wrote after a time: answers of the API that took it, Events too."""
        return [
            a.what
            for a in self.proxy.journal
            if a.is_write and a.answered_at > since and 200 <= a.status < 300
        ]


@dataclass
class Pair:
    cluster: Cluster
    plane: ControlPlane
    history: History
    stack: AsyncExitStack

    async def replica(self, **settings: str) -> Replica:
        """Start one more operator, ready."""
        proxy = await self.stack.enter_async_context(
            fault_proxy(self.plane.url, self.plane.kubeconfig)
        )
        given = {
            "leader_elect": "true",
            "leader_election_namespace": self.cluster.namespace,
            **settings,
        }
        operator = await start_operator(proxy.kubeconfig, self.cluster.namespace, **given)
        self.stack.push_async_callback(operator.kill)
        await operator.ready(60)
        return Replica(proxy, operator)

    async def begin(self, scenario: Scenario, name: str) -> None:
        await self.cluster.create(name, **scenario.start)
        for change, goal in scenario.before:
            if change.spec:
                await self.cluster.patch(name, change.patch({}))
            await self.reaches(goal, name)

    async def act(self, scenario: Scenario, name: str) -> None:
        assert scenario.act is not None
        performer = self.history.objects["performers", name]
        await self.cluster.patch(name, scenario.act.patch(performer))

    async def reaches(self, goal: Goal, name: str) -> None:
        await self.history.until(lambda: not goal.misses(self.history, name), 30)
        assert goal.misses(self.history, name) == ""

    async def holder(self) -> str:
        lease = await self.cluster.client.get(LEASES, self.cluster.namespace, LEASE_NAME)
        return str(lease["spec"].get("holderIdentity", ""))


@asynccontextmanager
async def pair(plane: ControlPlane, namespace: str) -> AsyncIterator[Pair]:
    async with (
        namespace_of_a_test(plane, namespace) as cluster,
        asyncio.TaskGroup() as group,
        AsyncExitStack() as stack,
    ):
        history = History(cluster.client, namespace)
        following = group.create_task(history.run())
        stack.callback(following.cancel)
        yield Pair(cluster, plane, history, stack)


def freezing(replica: Replica, k: int, resume: asyncio.Event) -> tuple[asyncio.Event, list[Asked]]:
    """Freeze a replica at its ``k``-th write, which is held back until ``resume``."""
    frozen, held = asyncio.Event(), list[Asked]()
    count = 0

    async def before(asked: Asked) -> Answer | None:
        nonlocal count
        if not asked.is_write or asked.resource in ("leases", "events") or frozen.is_set():
            return None
        count += 1
        if count == k:
            replica.operator.send(signal.SIGSTOP)
            held.append(asked)
            frozen.set()
            await resume.wait()
        return None

    replica.proxy.before = before
    return frozen, held


async def test_a_leader_frozen_past_its_lease_writes_nothing_that_counts_when_it_wakes(
    real_api: ControlPlane, namespace: str, full: bool
) -> None:
    """Each time a write of its is under way, and reaches the API long after another leads."""
    figures: list[str] = []
    async with pair(real_api, namespace) as both:
        leader = await both.replica(**SHORT)
        await leader.acquired()
        for number in range(PAUSES_IN_FULL if full else PAUSES):
            scenario, k = (PROMOTE, UPGRADE)[number % 2], 1 + number
            name = f"demo-{number}"
            await both.begin(scenario, name)
            standby = await both.replica(**SHORT)
            resume = asyncio.Event()
            frozen, held = freezing(leader, k, resume)
            await both.act(scenario, name)
            async with asyncio.timeout(20):
                await frozen.wait()
            stopped_at = time.monotonic()
            taken_at = await standby.acquired()
            await both.reaches(scenario.goal, name)
            resume.set()
            async with asyncio.timeout(5):
                while not held[0].status:
                    await asyncio.sleep(0.02)
            assert held[0].status in (404, 409), f"{held[0].what} was taken: {held[0].status}"
            woken = len(leader.proxy.journal)
            leader.operator.send(signal.SIGCONT)
            code = await leader.operator.ended()
            noticed = [
                a.answered_at for a in leader.proxy.journal[woken:] if a.resource == "leases"
            ]
            exit_seconds = leader.operator.ended_at - noticed[0]
            assert code != 0
            assert leader.effective_writes(taken_at) == []
            assert exit_seconds <= 1.0
            assert taken_at - stopped_at <= TAKEOVER_SECONDS
            await both.reaches(scenario.goal, name)
            figures.append(
                f"{held[0].what}: {held[0].status}, takeover {taken_at - stopped_at:.2f} s, "
                f"exit {exit_seconds:.2f} s"
            )
            leader = standby
        assert both.history.orphans() == []
    print("\n" + "\n".join(figures))


async def test_a_leader_that_is_told_to_end_gives_the_lead_back_at_once(
    real_api: ControlPlane, namespace: str
) -> None:
    """With the durations as shipped."""
    async with pair(real_api, namespace) as both:
        leader = await both.replica()
        await leader.acquired()
        standby = await both.replica()
        told_at = time.monotonic()
        leader.operator.send(signal.SIGTERM)
        taken_at = await standby.acquired()
        assert await leader.operator.ended() == 0
    print(f"\ntakeover {taken_at - told_at:.2f} s")
    assert taken_at - told_at <= 2.0


async def test_an_operator_told_to_end_under_load_leaves_whole_work_to_the_next(
    real_api: ControlPlane, namespace: str
) -> None:
    names = [f"demo-{number}" for number in range(12)]
    async with pair(real_api, namespace) as both:
        leader = await both.replica(**SHORT)
        await leader.acquired()
        for name in names:
            await both.cluster.create(name, **UPGRADE.start)
        async with asyncio.timeout(20):
            while len(leader.proxy.writes()) < 30:
                await asyncio.sleep(0.01)
        told_at = time.monotonic()
        leader.operator.send(signal.SIGTERM)
        assert await leader.operator.ended() == 0
        ended_at = time.monotonic()
        assert leader.operator.complaints() == []
        assert await both.holder() == ""
        await both.replica(**SHORT)
        for name in names:
            await both.reaches(UPGRADE.before[0][1], name)
        assert both.history.orphans() == []
        again = {n: both.history.additions(n) for n in names}
    print(f"\nexit {ended_at - told_at:.2f} s")
    assert ended_at - told_at <= 10.0
    assert all(
        count == (2 if what.startswith("pods") else 1)
        for c in again.values()
        for what, count in c.items()
    )


@pytest.mark.parametrize(
    "refusal", [Answer(403, "Forbidden"), Answer(0)], ids=["forbidden", "cut off"]
)
async def test_a_lead_that_can_not_be_renewed_rests_and_goes_on(
    real_api: ControlPlane, namespace: str, refusal: Answer
) -> None:
    """Nobody else is there: the process stays, writes nothing, and needs no restart."""

    async def refuse_leases(asked: Asked) -> Answer | None:
        return refusal if asked.resource == "leases" and asked.is_write else None

    async with pair(real_api, namespace) as both:
        leader = await both.replica(**SHORT)
        await both.begin(UPGRADE, "demo")
        leader.proxy.before = refuse_leases
        await asyncio.sleep(2.5)
        resting_since = time.monotonic()
        await both.act(UPGRADE, "demo")
        await asyncio.sleep(LEASE_SECONDS)
        assert leader.effective_writes(resting_since) == []
        leader.proxy.before = pass_on
        ended_at = time.monotonic()
        await both.reaches(UPGRADE.goal, "demo")
        seconds = time.monotonic() - ended_at
        assert leader.operator.process.returncode is None
    print(f"\nreconciled {seconds:.2f} s after the end of the refusals")
    assert seconds <= LEASE_SECONDS + 2.0
