"""Kill an executor in the middle of tasks, deployments and removals, and let a ledger judge.

The journal has what callers were told; the ledger what performers did. The executor's own word
counts for nothing.
"""

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
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
    folder: str = ""
    back: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Verdict:
    """``changed`` are answers that a repeat did not get again, ``unanswered`` ids that have no
    end, ``without_run`` results of tasks that no performer ran, ``orphans`` performers that were
    left when the last executor had stopped."""

    kills: int
    sent: int
    answered: int
    lost_deployments: int
    twice: int
    without_run: int
    changed: int
    unanswered: int
    orphans: int
    slowest_back: float
    lowest_rate: float

    @property
    def nothing_is_lost(self) -> bool:
        lost = self.lost_deployments + self.without_run + self.changed + self.unanswered
        return lost + self.twice + self.orphans == 0


async def kill_under_load(folder: Path, kills: int, rng: Random) -> Verdict:
    """Kill so many times at random moments, then ask for every task once more."""
    ledger = folder / "ledger"
    environment = [
        {"name": "LEDGER", "value": str(ledger)},
        {"name": "WORK_SECONDS", "value": "0.02"},
        {"name": "BELONGS_TO", "value": str(folder)},
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
    journal = Journal(folder=str(folder))
    for life in range(kills):
        await _one_life(given, folder, journal, rng, first=life == 0)
    try:
        async with executor_process(given, folder) as (process, address):
            async with open_channel(address) as channel:
                client = ExecutorClient(channel)
                await _check_deployments(client, journal)
                changed, unanswered = await _ask_again(client, journal)
            process.send_signal(signal.SIGTERM)  # which ends all performers that it knows
            await process.wait()
    finally:
        orphans = _ended_orphans(folder)
    return _verdict(kills, journal, Ledger.read(ledger), (changed, unanswered, orphans))


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
                journal.deployed[avs] = await _deploy(client, avs, journal.folder)
        except HourglassError as error:
            if error.code is Code.UNAVAILABLE:
                return  # it is gone: nobody knows what became of this change
            continue
        journal.uncertain.discard(avs)


async def _deploy(client: ExecutorClient, avs: str, folder: str) -> str:
    answer = await client.deploy(
        DeployRequest(
            avs_address=avs,
            digest="sha256:1",
            registry="ledger",
            environment=(EnvironmentVariable(name="BELONGS_TO", value=folder),),
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


def _ended_orphans(folder: Path) -> int:
    """Return how many performers still run of those that write into ``folder``, and end them."""
    found = 0
    for process in psutil.process_iter():
        try:
            if process.environ().get("BELONGS_TO") == str(folder):
                process.kill()
                found += 1
        except psutil.Error:
            continue
    return found


def _verdict(
    kills: int, journal: Journal, ledger: Ledger, at_the_end: tuple[int, int, int]
) -> Verdict:
    changed, unanswered, orphans = at_the_end
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
        orphans=orphans,
        slowest_back=max(journal.back, default=0.0),
        lowest_rate=min(journal.rates, default=0.0),
    )
