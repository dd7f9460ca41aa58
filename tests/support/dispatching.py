"""A dispatcher with real performers on loopback, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from time import monotonic

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Failed, OutcomeUnknown, Task, TaskOutcome
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.health import HealthPolicy
from hourglass_executor.routing.slot import EndpointView

AVS = "0xABcd"
CLOCK = SystemClock()
FAST_CHECKS = HealthPolicy(check_period=0.1, check_timeout=0.1)


@dataclass
class ClockThatJumps(SystemClock):
    ahead: float = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def task(number: int = 1, *, idempotent: bool = False, payload: bytes = b"x") -> Task:
    return Task(task_id=f"0x{number:064x}", avs=AVS.lower(), payload=payload, idempotent=idempotent)


async def run(
    dispatcher: Dispatcher, number: int = 1, *, seconds: float = 10, idempotent: bool = False
) -> TaskOutcome:
    return await dispatcher.execute(
        task(number, idempotent=idempotent), CLOCK.monotonic() + seconds
    )


@asynccontextmanager
async def dispatching(
    *endpoints: Endpoint, policy: DispatchPolicy | None = None, usable: bool = True
) -> AsyncIterator[Dispatcher]:
    async with Dispatcher(clock=CLOCK, rng=Random(1), policy=policy) as dispatcher:
        dispatcher.set_endpoints(AVS, "performer", endpoints)
        if usable:
            await until(lambda: all(view.skipped is None for view in dispatcher.snapshot()))
        yield dispatcher


async def until(holds: object, *, seconds: float = 10) -> float:
    """Wait for ``holds()``, and return how long that took."""
    assert callable(holds)
    began = monotonic()
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.001)
    return monotonic() - began


def view(dispatcher: Dispatcher, name: str = "a") -> EndpointView:
    return next(view for view in dispatcher.snapshot() if view.instance == name)


def the_error(outcome: TaskOutcome) -> tuple[Code, str]:
    assert isinstance(outcome, Failed | OutcomeUnknown), outcome
    return outcome.error.code, str(outcome.error)
