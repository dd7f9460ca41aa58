"""An executor of the conformance suite: its process, and one caller of it for one AVS."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import (
    Deployed,
    DeployRequest,
    EnvironmentVariable,
    PerformerInfo,
)
from hourglass_services.inspection.client import InspectionClient
from hourglass_services.inspection.port import ExecutorEndpoint
from hourglass_services.rpc.channel import open_channel

from tests.support.executor_process import until
from tests.support.executor_values import configuration, submission

from .world import Artifact, World

STOP_SECONDS = 20.0
SLOW = 30.0
"""How long anything may take that is to work, on a busy machine."""


def new_avs() -> str:
    return "0x" + secrets.token_hex(20)


class ExecutorProgram:
    """A program that can be started, stopped and killed again and again, on one folder."""

    def __init__(
        self, world: World, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._world = world
        self._folder = folder
        self._environment = environment or {}
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    async def start(
        self, *, deploy_timeout: str = "60s", stop_on_exit: bool = False, **changes: Any
    ) -> None:
        """Start it with ``changes`` to the configuration; return when it serves gRPC."""
        section = self._world.section(deploy_timeout=deploy_timeout, stop_on_exit=stop_on_exit)
        given = {
            **configuration(
                self._folder / "data", avsPerformers=[], drainTimeout="20s", stopGrace="0.2s"
            ),
            "processes": {"allow": False},
            **section,
            **changes,
        }
        await asyncio.to_thread(self._start, given)

    def _start(self, given: Mapping[str, Any]) -> None:
        path = self._folder / "executor.json"
        path.write_text(json.dumps(given))
        with (self._folder / "executor.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.executor_process", str(path)],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(__file__).parents[3],
                env=os.environ | dict(self._environment),
                text=True,
            )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address, self.log()

    async def stop(self) -> int:
        """Stop it as a service manager does; return its exit status."""
        assert self._process is not None
        self._process.terminate()
        return await asyncio.to_thread(self._ended)

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._ended)

    def _ended(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        status = self._process.wait(STOP_SECONDS)
        self._process.stdout.close()
        self._process = None
        return status

    def log(self) -> str:
        return (self._folder / "executor.log").read_text()

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._ended()


@contextmanager
def executor_program(
    world: World, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[ExecutorProgram]:
    """Make one, not started yet; stopped on the way out."""
    program = ExecutorProgram(world, folder, environment)
    try:
        yield program
    finally:
        program.close()


@dataclass
class Caller:
    """Calls one executor about one AVS."""

    world: World
    tasks: ExecutorClient
    inspection: InspectionClient
    avs: str = field(default_factory=new_avs)

    def for_another(self) -> "Caller":
        """Return a caller for an AVS of its own."""
        return replace(self, avs=new_avs())

    async def deploy(
        self,
        artifact: Artifact | None = None,
        *variables: EnvironmentVariable,
        seconds: float = SLOW,
        **environment: str,
    ) -> Deployed:
        """Deploy the first artifact, or the given one; the demo performer's own settings are
        given without their prefix."""
        chosen = artifact or self.world.artifacts[0]
        request = DeployRequest(
            avs_address=self.avs,
            digest=chosen.digest,
            registry=chosen.registry,
            environment=(*variables, *(told(name, value) for name, value in environment.items())),
        )
        return await self.tasks.deploy(request, timeout_seconds=seconds)

    async def submit(self, *, payload: bytes = b"0x4", seconds: float = SLOW) -> bytes:
        """Run one task of the AVS; return its output."""
        task_id = "0x" + secrets.token_hex(32)
        given = submission(task_id=task_id, avs_address=self.avs, payload=payload)
        return (await self.tasks.submit(given, timeout_seconds=seconds)).output

    async def listed(self) -> tuple[PerformerInfo, ...]:
        return await self.tasks.list(self.avs)

    async def performer(self) -> PerformerInfo:
        """Return the AVS's only performer."""
        (found,) = await self.listed()
        return found

    async def endpoints(self) -> tuple[ExecutorEndpoint, ...]:
        return (await self.inspection.list_endpoints(self.avs)).endpoints

    async def resource(self) -> str:
        """Return the name of the one instance that runs, once there is one."""
        found: list[str] = []

        async def runs() -> bool:
            found[:] = (await self.performer()).container_id.split(",")
            return found != [""]

        await until(runs, SLOW)
        (only,) = found
        return only

    async def restarted(self, life: object) -> None:
        """Return once another instance than that with ``life`` runs and is healthy."""

        async def holds() -> bool:
            found = await self.performer()
            if not found.application_healthy or not found.container_id:
                return False
            now = await self.world.life(found.container_id)
            return now is not None and now != life

        await until(holds, SLOW)

    async def gone(self) -> None:
        """Return once nothing is listed, and nothing is there, for the AVS."""

        async def holds() -> bool:
            return not await self.listed() and not await self.world.left(self.avs)

        await until(holds, SLOW)

    async def clear(self) -> None:
        """Remove all of the AVS's performers."""
        for found in await self.listed():
            try:
                await self.tasks.remove(found.performer_id, timeout_seconds=SLOW)
            except HourglassError as error:
                if error.code not in (Code.NOT_FOUND, Code.ALREADY_EXISTS):
                    raise


def told(name: str, value: str) -> EnvironmentVariable:
    """Return a setting of the demo performer as a variable."""
    return EnvironmentVariable(name=f"DEMO_PERFORMER_{name.upper()}", value=value)


@asynccontextmanager
async def calling(world: World, address: str, avs: str = "") -> AsyncIterator[Caller]:
    async with open_channel(address) as channel:
        yield Caller(world, ExecutorClient(channel), InspectionClient(channel), avs or new_avs())
