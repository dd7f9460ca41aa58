"""A performer whose process is stopped: its connection lives on, and answers nothing."""

import asyncio
import signal
from random import Random

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.routing.health import HealthPolicy
from hourglass_executor.routing.skip import SkipReason

from tests.support.demo_performer import demo_performer


async def test_a_frozen_process_is_out_of_rotation_until_it_goes_on() -> None:
    policy = DispatchPolicy(health=HealthPolicy(check_period=0.1, check_timeout=0.2))
    async with (
        demo_performer() as performer,
        Dispatcher(clock=SystemClock(), rng=Random(1), policy=policy) as dispatcher,
    ):
        endpoint = Endpoint(
            performer_id="demo", revision="r1", instance="a", address=performer.address
        )
        dispatcher.set_endpoints("0xa", "demo", [endpoint])
        assert await dispatcher.wait_usable("demo", 10)
        performer.process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(10):
            while dispatcher.snapshot()[0].skipped is not SkipReason.UNHEALTHY:
                await asyncio.sleep(0.01)
        performer.process.send_signal(signal.SIGCONT)
        assert await dispatcher.wait_usable("demo", 10)
