"""Measurements of an operator that has nothing to do: its writes, its memory, its restart."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from hourglass_common.kube.resources import PODS, Manifest

from tests.bench.operator_rig.audit import AuditLog, writes
from tests.bench.operator_rig.observer import LateError, Observer
from tests.bench.operator_rig.programs import Operator
from tests.bench.operator_rig.stage import Stage
from tests.bench.operator_rig.world import OPERATOR

SETTLE_SECONDS = 5.0
AFTER_RESTART_SECONDS = 5.0
REST_SECONDS = 15.0
REST_TRIES = 8
MEGABYTE = 1e6


async def memory(operator: Operator) -> float:
    """Return the resident megabytes, some seconds after the last thing happened."""
    await asyncio.sleep(SETTLE_SECONDS)
    return operator.memory() / MEGABYTE


async def writes_while_idle(stage: Stage, seconds: float) -> int:
    """Return how many writes the operator made in so many seconds, Leases aside.

    They are counted once it has come to rest, or has not within two minutes.
    """
    log = AuditLog(stage.world.audit_log)
    for _ in range(REST_TRIES):
        log.mark()
        await asyncio.sleep(REST_SECONDS)
        if not writes(log.since(), OPERATOR).total():
            break
    log.mark()
    await asyncio.sleep(seconds)
    return writes(log.since(), OPERATOR).total()


@dataclass(frozen=True, slots=True)
class Restarted:
    """Seconds until all was reconciled, and how many pods were made, changed or deleted."""

    seconds: float
    pods_touched: int


async def restart(stage: Stage, observer: Observer, operator: Operator, count: int) -> Restarted:
    """Kill the operator and start it: ready, everything reconciled once, and nothing queued."""
    before = versions(observer)
    began = time.monotonic()
    operator.restart()
    await operator.wait_ready()
    while not await operator.has_reconciled(count):
        if time.monotonic() > began + 120:
            raise LateError("everything reconciled after a restart: not within 120 s")
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - began
    await asyncio.sleep(AFTER_RESTART_SECONDS)
    return Restarted(seconds, touched(before, versions(observer)))


def versions(observer: Observer) -> dict[str, str]:
    """Return the resourceVersion of each pod by its uid."""
    return {_meta(pod)["uid"]: _meta(pod)["resourceVersion"] for pod in observer.all(PODS)}


def touched(before: Mapping[str, str], after: Mapping[str, str]) -> int:
    """Return how many pods are new, gone, or another version. Pure."""
    return sum(1 for uid in {*before, *after} if before.get(uid) != after.get(uid))


def _meta(pod: Manifest) -> Mapping[str, str]:
    found: Mapping[str, str] = pod["metadata"]
    return found
