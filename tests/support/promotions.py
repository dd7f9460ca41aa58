"""Promotes revision after revision by hand while tasks flow, and lets the ledger judge."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from hourglass_common.domain.errors import HourglassError
from hourglass_services.control.port import Act, Aim
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.support.dev_operator import Stage, is_ready
from tests.support.executor_process import executor_process, until
from tests.support.executor_values import submission

ROLLOUT = {"keepPreviousSeconds": 0, "revisionHistoryLimit": 1}


@dataclass
class Load:
    """Tasks sent at a fixed rate, whatever becomes of those before; ``failed`` has the words."""

    client: ExecutorClient
    rate: float
    sent: list[str] = field(default_factory=list[str])
    answered: list[str] = field(default_factory=list[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    seconds: list[float] = field(default_factory=list[float])
    lasted: float = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                group.create_task(self._one(len(self.sent) + 1))
                await asyncio.sleep(max(0.0, began + len(self.sent) / self.rate - loop.time()))
            self.lasted = loop.time() - began

    async def _one(self, number: int) -> None:
        task = submission(number)
        self.sent.append(task.task_id)
        began = perf_counter()
        try:
            await self.client.submit(task, timeout_seconds=60)
        except HourglassError as error:
            self.failed[str(error)] += 1
        else:
            self.answered.append(task.task_id)
            self.seconds.append(perf_counter() - began)


@dataclass(frozen=True)
class Outcome:
    """``lost`` were answered and never run, ``twice`` run more than once, by the ledger;
    ``rate`` was wanted and ``achieved`` was sent, in tasks a second."""

    promotions: int
    tasks: int
    rate: float
    achieved: float
    failed: dict[str, int]
    lost: int
    twice: int
    slowest_seconds: float
    revisions_used: int


async def promote_under_load(
    on: Stage, folder: Path, *, via: str, strategy: str, promotions: int, rate: float
) -> Outcome:
    """Change the revision so often while ``rate`` tasks a second flow; on the dev cluster.

    ``BlueGreen`` is promoted by PerformerControl, ``RollingUpdate`` goes by itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledgers = folder / "ledgers"
    ledgers.mkdir()
    await on.create(
        "demo", replicas=2, rollout=ROLLOUT, strategy={"type": strategy}, **at_ledger(ledgers, 0)
    )
    async with _loaded(on, folder, via, rate) as load:
        for number in range(1, promotions + 1):
            await on.change("demo", **at_ledger(ledgers, number))
            if strategy == "BlueGreen":
                await promote(on)
            else:
                await on.until("demo", _is_complete)
            await until((ledgers / str(number)).exists)
    ran = Counter(line for ledger in ledgers.iterdir() for line in ledger.read_text().split())
    return Outcome(
        promotions=promotions,
        tasks=len(load.sent),
        rate=rate,
        achieved=round(len(load.sent) / load.lasted, 1),
        failed=dict(load.failed),
        lost=len(set(load.answered) - ran.keys()),
        twice=sum(1 for count in ran.values() if count > 1),
        slowest_seconds=max(load.seconds, default=0.0),
        revisions_used=len(list(ledgers.iterdir())),
    )


def at_ledger(ledgers: Path, revision: int) -> dict[str, Any]:
    """Return the part of a spec that makes a revision, each with a ledger of its own."""
    environment = {"DEMO_PERFORMER_LEDGER": str(ledgers / str(revision))}
    return {"image": "demo-performer:v1", "config": {"environment": environment}}


async def promote(on: Stage) -> None:
    """Promote the newest revision by PerformerControl once it is complete."""
    staged = await on.until("demo", _awaits_promotion)
    revision = str(staged["status"]["revision"])
    await on.control.act(Act.PROMOTE, Aim(namespace=on.namespace, name="demo"), revision)
    await on.until("demo", lambda found: found["status"].get("inServiceRevision") == revision)


def _awaits_promotion(found: Any) -> bool:
    status = found["status"]
    return status.get("observedGeneration") == found["metadata"]["generation"] and any(
        one["type"] == "Ready" and one.get("reason") == "AwaitingPromotion"
        for one in status.get("conditions") or ()
    )


def _is_complete(found: Any) -> bool:
    status = found["status"]
    current = status.get("observedGeneration") == found["metadata"]["generation"]
    return current and is_ready(found)


@asynccontextmanager
async def _loaded(on: Stage, folder: Path, via: str, rate: float) -> AsyncIterator[Load]:
    """An executor in a process of its own, under load; all answers are in when this ends."""
    async with (
        executor_process(on.executor(folder, via), folder) as (_, address),
        open_channel(address) as channel,
    ):
        client = ExecutorClient(channel)

        async def healthy() -> bool:
            (info,) = await client.list()
            return info.application_healthy and info.status == "InService"

        await until(healthy)
        load, stop = Load(client, rate), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(stop))
            try:
                yield load
            finally:
                stop.set()
