"""Kill an executor in the middle of tasks, deployments and removals, and let a ledger judge.

The journal has what callers were told; the ledger what performers did. The executor's own word
counts for nothing.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest, EnvironmentVariable, TaskResult
from hourglass_services.rpc.channel import open_channel

from tests.support.executor_process import executor_process
from tests.support.executor_values import AVS, configuration, submission
from tests.support.ledger_performer import COMMAND, Ledger

OTHERS = tuple(f"0x{number:040x}" for number in range(1, 4))
PER_SECOND = 50.0


@dataclass
class Journal:
    """What callers were told, over all lives of the executor."""

    sent: int = 0
    answers: dict[int, TaskResult] = field(default_factory=dict[int, TaskResult])
    errors: Counter[str] = field(default_factory=Counter[str])
    deployed: dict[str, str] = field(default_factory=dict[str, str])
    """The last performer of an AVS whose deployment was acknowledged, and that still is there."""
    uncertain: set[str] = field(default_factory=set[str])
    """AVSs that were being deployed or removed when the executor died."""
    lost_deployments: int = 0
    back: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Verdict:
    """``changed`` are answers that a repeat did not get again, ``unanswered`` ids that have no
    end, ``without_run`` results of tasks that no performer ran."""

    kills: int
    sent: int
    answered: int
    lost_deployments: int
    twice: int
    without_run: int
    changed: int
    unanswered: int
    slowest_back: float
    lowest_rate: float

    @property
    def nothing_is_lost(self) -> bool:
        found = (self.lost_deployments, self.twice, self.without_run, self.changed, self.unanswered)
        return found == (0, 0, 0, 0, 0)


async def kill_under_load(folder: Path, kills: int, rng: Random) -> Verdict:
    """Kill so many times at random moments, then ask for every task once more."""
    ledger = folder / "ledger"
    environment = [
        {"name": "LEDGER", "value": str(ledger)},
        {"name": "WORK_SECONDS", "value": "0.02"},
    ]
    performer = {
        "image": {"repository": "ledger", "tag": "v1"},
        "avsAddress": AVS,
        "deploymentMode": "process",
        "envs": environment,
    }
    given = configuration(
        folder / "data",
        processes={"allow": True, "commands": {"ledger": list(COMMAND)}, "stopGrace": "1s"},
        avsPerformers=[performer],
    )
    journal = Journal()
    for life in range(kills):
        await _one_life(given, folder, journal, rng, first=life == 0)
    async with executor_process(given, folder) as (_, address), open_channel(address) as channel:
        client = ExecutorClient(channel)
        await _check_deployments(client, journal)
        changed, unanswered = await _ask_again(client, journal)
    return _verdict(kills, journal, Ledger.read(ledger), changed, unanswered)


async def _one_life(
    given: dict[str, Any], folder: Path, journal: Journal, rng: Random, *, first: bool
) -> None:
    began = time.monotonic()
    async with (
        executor_process(given, folder) as (process, address),
        open_channel(address) as channel,
    ):
        client = ExecutorClient(channel)
        await _submit(client, journal)
        if not first:
            journal.back.append(time.monotonic() - began)
        await _check_deployments(client, journal)
        stop = asyncio.Event()
        sent, started = journal.sent, time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(_tasks(client, journal, stop))
            group.create_task(_changes(client, journal, stop, rng))
            await asyncio.sleep(0.3 + 1.2 * rng.random())
            process.kill()
            await process.wait()
            stop.set()
        journal.rates.append((journal.sent - sent) / (time.monotonic() - started))


async def _tasks(client: ExecutorClient, journal: Journal, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    async with asyncio.TaskGroup() as group:
        while not stop.is_set():
            group.create_task(_submit(client, journal))
            number += 1
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - loop.time()))


async def _submit(client: ExecutorClient, journal: Journal) -> None:
    journal.sent += 1
    number = journal.sent
    try:
        journal.answers[number] = await client.submit(submission(number), timeout_seconds=15)
    except HourglassError as error:
        journal.errors[error.code.value] += 1


async def _changes(
    client: ExecutorClient, journal: Journal, stop: asyncio.Event, rng: Random
) -> None:
    """Deploy and remove, one after the other, until the executor is gone."""
    while not stop.is_set():
        avs = rng.choice(OTHERS)
        known = journal.deployed.get(avs)
        journal.uncertain.add(avs)
        try:
            if known is not None and rng.random() < 0.4:
                await client.remove(known)
                del journal.deployed[avs]
            else:
                journal.deployed[avs] = await _deploy(client, avs)
        except HourglassError as error:
            if error.code is Code.UNAVAILABLE:
                return  # it is gone: nobody knows what became of this change
            continue
        journal.uncertain.discard(avs)


async def _deploy(client: ExecutorClient, avs: str) -> str:
    answer = await client.deploy(
        DeployRequest(
            avs_address=avs,
            digest="sha256:1",
            registry="ledger",
            environment=(EnvironmentVariable(name="OF", value=avs),),
        ),
        timeout_seconds=15,
    )
    return answer.deployment_id


async def _check_deployments(client: ExecutorClient, journal: Journal) -> None:
    """Count the acknowledged deployments that are gone; then take what there is for the truth."""
    found = {one.avs_address.lower(): one.performer_id for one in await client.list()}
    for avs in journal.deployed:
        if avs not in journal.uncertain and avs not in found:
            journal.lost_deployments += 1
    for avs in OTHERS:
        if avs in found:
            journal.deployed[avs] = found[avs]
        else:
            journal.deployed.pop(avs, None)
    journal.uncertain.clear()


async def _ask_again(client: ExecutorClient, journal: Journal) -> tuple[int, int]:
    changed = unanswered = 0
    for number in range(1, journal.sent + 1):
        before = journal.answers.get(number)
        try:
            answer = await client.submit(submission(number), timeout_seconds=20)
        except HourglassError as error:
            changed += before is not None
            unanswered += error.reason != "TASK_OUTCOME_UNKNOWN"
        else:
            changed += before not in (None, answer)
    return changed, unanswered


def _verdict(
    kills: int, journal: Journal, ledger: Ledger, changed: int, unanswered: int
) -> Verdict:
    ran = {submission(number).task_id for number in journal.answers}
    return Verdict(
        kills=kills,
        sent=journal.sent,
        answered=len(journal.answers),
        lost_deployments=journal.lost_deployments,
        twice=len(ledger.twice),
        without_run=len(ran - ledger.began.keys()),
        changed=changed,
        unanswered=unanswered,
        slowest_back=max(journal.back, default=0.0),
        lowest_rate=min(journal.rates, default=0.0),
    )
