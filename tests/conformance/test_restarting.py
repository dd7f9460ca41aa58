"""The executor is killed, with performers in every state; and what the next one makes of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_services.executor.port import EnvironmentVariable, Submission, TaskResult

from tests.support.executor_process import until
from tests.support.executor_values import submission
from tests.support.modes.executor import (
    SLOW,
    Caller,
    ExecutorProgram,
    calling,
    executor_program,
    new_avs,
)
from tests.support.modes.world import World

COLOUR = EnvironmentVariable(name="COLOUR", value="blue")


@dataclass
class Killed:
    """An executor that was killed and started again, and the AVSs that it had."""

    program: ExecutorProgram
    healthy: str = field(default_factory=new_avs)
    removed: str = field(default_factory=new_avs)
    dead: str = field(default_factory=new_avs)
    begun: str = field(default_factory=new_avs)
    leaving: str = field(default_factory=new_avs)
    ids: dict[str, str] = field(default_factory=dict[str, str])
    life: object = None
    foreign_untouched: bool = False
    task: Submission | None = None
    result: TaskResult | None = None

    async def prepare(self, world: World) -> None:
        """Bring the performers into their states, kill the executor, and start it again."""
        await self.program.start()
        async with (
            calling(world, self.program.address, self.healthy) as caller,
            AsyncExitStack() as stack,
        ):
            await self._deploy(caller)
            untouched = await stack.enter_async_context(world.foreign(self.healthy))
            self.task = submission(task_id="0x" + secrets.token_hex(32), avs_address=self.healthy)
            self.result = await caller.tasks.submit(self.task, timeout_seconds=SLOW)
            healthy = await caller.resource()
            self.life = await world.life(healthy)
            dead = await replace(caller, avs=self.dead).resource()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._begin(replace(caller, avs=self.begun)))
                await self._leave(replace(caller, avs=self.leaving), group)
                await self.program.kill()
            await world.kill(dead)
            await world.take_away(self.removed)
            await self.program.start(stop_on_exit=True)
            async with calling(world, self.program.address, self.leaving) as after:
                await after.gone()
            self.foreign_untouched = await untouched()

    async def _deploy(self, caller: Caller) -> None:
        deployed = (self.healthy, self.removed, self.dead)
        async with asyncio.TaskGroup() as group:
            for avs in deployed:
                group.create_task(replace(caller, avs=avs).deploy(None, COLOUR))
            group.create_task(replace(caller, avs=self.leaving).deploy(delay="60"))
        for avs in deployed:
            self.ids[avs] = (await replace(caller, avs=avs).performer()).performer_id

    async def _begin(self, caller: Caller) -> None:
        with suppress(HourglassError):
            await caller.deploy(start_delay="4", seconds=60)

    async def _leave(self, caller: Caller, group: asyncio.TaskGroup) -> None:
        """Have a removal under way that waits for a task, and the deployment begun."""
        performer_id = (await caller.performer()).performer_id
        group.create_task(_ignored(caller.submit()))

        async def runs() -> bool:
            return [one.in_flight for one in await caller.endpoints()] == [1]

        await until(runs, SLOW)
        group.create_task(_ignored(caller.tasks.remove(performer_id)))
        begun = replace(caller, avs=self.begun)

        async def both() -> bool:
            return not await caller.listed() and [
                one.container_id != "" for one in await begun.listed()
            ] == [True]

        await until(both, SLOW)


async def _ignored(call: Any) -> None:
    with suppress(HourglassError):
        await call


@pytest.fixture(scope="session")
def killed_program(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    with executor_program(world, tmp_path_factory.mktemp("killed")) as program:
        yield Killed(program)


@pytest.fixture
async def killed(world: World, killed_program: Killed) -> Killed:
    """The killed executor, the same for all cases."""
    if not killed_program.ids:
        await killed_program.prepare(world)
    return killed_program


@pytest.fixture
async def caller(world: World, killed: Killed) -> AsyncIterator[Caller]:
    """A caller of the executor after its restart, for the AVS whose performer was healthy."""
    async with calling(world, killed.program.address, killed.healthy) as found:
        yield found


async def serving(caller: Caller, performer_id: str = "") -> None:
    """Return once the AVS's only performer is in service and healthy."""

    async def holds() -> bool:
        (found,) = await caller.listed()
        return found.status == "InService" and found.application_healthy

    await until(holds, SLOW)
    assert performer_id in ("", (await caller.performer()).performer_id)


async def test_a_healthy_performer_is_taken_over_and_not_started_again(
    caller: Caller, killed: Killed
) -> None:
    await serving(caller, killed.ids[killed.healthy])
    assert await caller.world.life(await caller.resource()) == killed.life
    assert await caller.submit() == b"0x10"


async def test_a_result_from_before_the_kill_is_given_again(caller: Caller, killed: Killed) -> None:
    assert killed.task is not None
    assert await caller.tasks.submit(killed.task, timeout_seconds=SLOW) == killed.result


async def test_what_was_removed_by_hand_meanwhile_comes_back(
    caller: Caller, killed: Killed
) -> None:
    removed = replace(caller, avs=killed.removed)
    await serving(removed, killed.ids[killed.removed])
    assert await removed.submit() == b"0x10"


async def test_what_was_killed_meanwhile_comes_back(caller: Caller, killed: Killed) -> None:
    dead = replace(caller, avs=killed.dead)
    await serving(dead, killed.ids[killed.dead])
    assert await dead.submit() == b"0x10"


async def test_a_deployment_that_had_begun_is_finished(caller: Caller, killed: Killed) -> None:
    begun = replace(caller, avs=killed.begun)
    await serving(begun)
    assert len(await caller.world.left(killed.begun)) == 1
    assert await begun.submit() == b"0x10"


async def test_a_removal_that_had_begun_is_finished(caller: Caller, killed: Killed) -> None:
    leaving = replace(caller, avs=killed.leaving)
    assert await leaving.listed() == ()
    assert await caller.world.left(killed.leaving) == []


async def test_what_is_not_ours_was_not_touched(caller: Caller, killed: Killed) -> None:
    await serving(caller)
    assert killed.foreign_untouched


async def test_variables_of_the_deployment_are_known_to_the_next_executor(
    caller: Caller, killed: Killed
) -> None:
    await serving(caller)
    resource = await caller.resource()
    before = await caller.world.life(resource)
    await caller.world.kill(resource)
    await caller.restarted(before)
    found = await caller.world.environment(await caller.resource())
    assert found["COLOUR"] == "blue"
    assert (await caller.performer()).performer_id == killed.ids[killed.healthy]


async def test_nothing_is_listed_that_was_not_there_before(caller: Caller, killed: Killed) -> None:
    known = {killed.healthy, killed.removed, killed.dead, killed.begun}
    assert {one.avs_address for one in await caller.tasks.list()} == known
    assert len(await caller.tasks.list()) == len(known)
