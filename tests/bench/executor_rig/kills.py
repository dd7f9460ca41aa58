"""What is left after kills: instances under an executor, and the executor under its callers.

The judge is the performers' ledger, on disk before a task is worked on; not the executor's word.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from time import perf_counter

import psutil
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.bench.executor_rig.programs import executor, executor_file, performer
from tests.bench.executor_rig.rows import Size
from tests.bench.operator_rig.run import Figures
from tests.support.executor_process import until
from tests.support.executor_values import submission

ONCE = "0xdec0de0000000000000000000000000000000001"
AGAIN = "0xdec0de0000000000000000000000000000000002"
RATE = 200.0
INSTANCES = 4
EVERY_SECONDS = 2.0
HOLD = {"HOLD_SECONDS": "0.02"}


class Flow:
    """Tasks at ``RATE`` a second whatever becomes of those before; ``ends`` by AVS and word."""

    def __init__(self, client: ExecutorClient, avss: tuple[str, ...]) -> None:
        self._client = client
        self._avss = avss
        self._numbers = 0
        self.ends: Counter[tuple[str, str]] = Counter()

    async def run(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            while loop.time() - began < seconds:
                self._numbers += 1
                group.create_task(self._one(self._numbers))
                await asyncio.sleep(max(0.0, began + self._numbers / RATE - loop.time()))

    async def _one(self, number: int) -> None:
        avs = self._avss[number % len(self._avss)]
        task = submission(number, avs_address=avs)
        try:
            await self._client.submit(task, timeout_seconds=30)
        except HourglassError as error:
            self.ends[avs, error.reason or error.code.value] += 1
        else:
            self.ends[avs, "answered"] += 1


async def kill_instances(size: Size, figures: Figures, folder: Path) -> None:
    """Kill one of four instances of each AVS every two seconds, never the first."""
    ledgers = {avs: folder / f"ledger-{avs[-1]}" for avs in (ONCE, AGAIN)}
    path = executor_file(
        folder / "instances",
        avsPerformers=[
            performer(
                avs,
                replicas=INSTANCES,
                idempotent=avs == AGAIN,
                envs={**HOLD, "LEDGER": str(ledgers[avs])},
            )
            for avs in (ONCE, AGAIN)
        ],
    )
    async with executor(path) as (process, address), open_channel(address) as channel:
        client = ExecutorClient(channel)
        await until(lambda: len(process.children()) == 2 * INSTANCES, 60)
        for number, avs in enumerate((ONCE, AGAIN), start=10**9):
            await client.submit(submission(number, avs_address=avs), timeout_seconds=60)
        flow = Flow(client, (ONCE, AGAIN))
        async with asyncio.TaskGroup() as group:
            killing = group.create_task(_kill_in_turn(process))
            await flow.run(size.killing_seconds)
            killing.cancel()
    ends = flow.ends
    figures.add(
        "failed_idempotent",
        sum(n for (avs, word), n in ends.items() if avs == AGAIN and word != "answered"),
    )
    known = {"answered", "TASK_OUTCOME_UNKNOWN"}
    figures.add(
        "odd_ends", sum(n for (avs, word), n in ends.items() if avs == ONCE and word not in known)
    )
    figures.add("twice", _twice(ledgers[ONCE]))
    figures.add_beside("tasks while instances were killed", ends.total())
    figures.add_beside("  of unknown outcome", ends[ONCE, "TASK_OUTCOME_UNKNOWN"])


async def _kill_in_turn(process: psutil.Process) -> None:
    rng = Random(1)
    spared = {avs: _instances(process, avs)[0].pid for avs in (ONCE, AGAIN)}
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        for avs, first in spared.items():
            rng.choice([one for one in _instances(process, avs) if one.pid != first]).kill()


def _instances(process: psutil.Process, avs: str) -> list[psutil.Process]:
    """Return those that run for ``avs``, the oldest first."""
    found: list[tuple[float, int, psutil.Process]] = []
    for one in process.children():
        with suppress(psutil.NoSuchProcess):  # it has ended between the two looks
            if one.environ().get("AVS_ADDRESS") == avs:
                found.append((one.create_time(), one.pid, one))
    return [one for _, _, one in sorted(found, key=lambda each: each[:2])]


async def kill_executors(size: Size, figures: Figures, folder: Path) -> None:
    """Kill the executor under load again and again; its performer goes on and is taken over."""
    ledger = folder / "ledger-kills"
    path = executor_file(
        folder / "kills", avsPerformers=[performer(envs={**HOLD, "LEDGER": str(ledger)})]
    )
    rng, lost, slowest = Random(2), 0, 0.0
    numbers, pids = 0, set[str]()
    for kill in range(size.kills + 1):
        began = perf_counter()
        async with executor(path) as (process, address), open_channel(address) as channel:
            client = ExecutorClient(channel)
            async with _sending(client, numbers + 1) as sent:
                await client.submit(submission(10**6 + kill), timeout_seconds=60)
                if kill:
                    slowest = max(slowest, perf_counter() - began)
                found = {one.container_id for one in await client.list()}
                lost += bool(pids) and found != pids
                pids = found
                await asyncio.sleep(0.2 + rng.random() / 2)
                if kill < size.kills:
                    process.kill()
            numbers += len(sent)
    figures.add("lost", lost)
    figures.add("killed_twice", _twice(ledger))
    figures.add("serving_again", slowest)
    figures.add_beside("tasks sent while the executor was killed", numbers)


@asynccontextmanager
async def _sending(client: ExecutorClient, first: int) -> AsyncIterator[list[int]]:
    """Send tasks while the block runs; what becomes of them is the ledger's to say."""
    sent: list[int] = []

    async def one(number: int) -> None:
        try:
            await client.submit(submission(number), timeout_seconds=10)
        except HourglassError as error:
            if error.code is Code.INTERNAL:
                raise

    async def send() -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                sent.append(first + len(sent))
                group.create_task(one(sent[-1]))
                await asyncio.sleep(1 / RATE)

    async with asyncio.TaskGroup() as group:
        sending = group.create_task(send())
        try:
            yield sent
        finally:
            sending.cancel()


def _twice(ledger: Path) -> int:
    runs = Counter(ledger.read_text().split())
    if not runs:
        raise RuntimeError(f"{ledger} is empty: nothing ran")
    return sum(count > 1 for count in runs.values())
