"""The process deployer by itself: what it stops, and what it leaves running."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import psutil
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.deployers.deployment import Artifact
from hourglass_executor.deployers.process import ProcessDeployer

from tests.support.executor_values import deployment

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Told:
    """Keeps the endpoints that were reported last."""

    def __init__(self) -> None:
        self.endpoints: asyncio.Queue[Sequence[Endpoint]] = asyncio.Queue()

    def endpoints_changed(self, performer_id: str, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints.put_nowait(endpoints)

    def handle_changed(self, performer_id: str, handle: str) -> None:
        pass


async def test_a_removal_that_was_cut_short_is_finished_on_the_way_out(tmp_path: Path) -> None:
    told = Told()
    async with ProcessDeployer(
        told,
        commands={"deaf": [sys.executable, "-c", DEAF]},
        log_directory=tmp_path,
        clock=SystemClock(),
        rng=Random(1),
        stop_grace=0.5,
    ) as deployer:
        await deployer.deploy(deployment(artifact=Artifact(registry="deaf", tag="v1")))
        assert len(await told.endpoints.get()) == 1
        (instance,) = deployer.instances("performer-1")
        async with asyncio.TaskGroup() as group:
            removal = group.create_task(deployer.remove("performer-1"))
            assert len(await told.endpoints.get()) == 0
            removal.cancel()
        await deployer.stop_all()
        assert not psutil.pid_exists(int(instance.resource.removeprefix("pid-")))
