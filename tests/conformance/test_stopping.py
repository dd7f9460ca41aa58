"""An executor that stops as it should, and one that has limits of its own."""

import asyncio

from hourglass_common.domain.errors import Code

from tests.support.executor_process import until
from tests.support.modes.executor import SLOW, ExecutorProgram, calling, new_avs
from tests.support.modes.refusals import refused
from tests.support.modes.world import World


async def test_a_stop_leaves_performers_running_for_the_next_start(
    world: World, program: ExecutorProgram
) -> None:
    avs = new_avs()
    await program.start(stop_on_exit=False)
    async with calling(world, program.address, avs) as caller:
        await caller.deploy()
        life = await world.life(await caller.resource())
        performer = await caller.performer()
    assert await program.stop() == 0
    assert len(await world.left(avs)) == 1
    await program.start(stop_on_exit=True)
    async with calling(world, program.address, avs) as caller:
        assert await caller.submit() == b"0x10"
        assert (await caller.performer()).performer_id == performer.performer_id
        assert await world.life(await caller.resource()) == life


async def test_a_stop_takes_performers_along_and_the_next_start_brings_them_back(
    world: World, program: ExecutorProgram
) -> None:
    avs = new_avs()
    await program.start(stop_on_exit=True)
    async with calling(world, program.address, avs) as caller:
        await caller.deploy()
        performer = await caller.performer()
    assert await program.stop() == 0

    async def gone() -> bool:
        return not await world.left(avs)

    await until(gone, SLOW)
    await program.start(stop_on_exit=True)
    async with calling(world, program.address, avs) as caller:
        assert await caller.submit() == b"0x10"
        assert (await caller.performer()).performer_id == performer.performer_id


async def test_a_stop_in_the_middle_of_a_deployment_takes_that_along_too(
    world: World, program: ExecutorProgram
) -> None:
    avs = new_avs()
    await program.start(stop_on_exit=True)
    async with calling(world, program.address, avs) as caller, asyncio.TaskGroup() as group:
        deploying = group.create_task(refused(caller.deploy(not_serving="true")))

        async def begun() -> bool:
            return len(await caller.listed()) == 1

        await until(begun, SLOW)
        assert await program.stop() == 0
        assert (await deploying).code in (Code.UNAVAILABLE, Code.CANCELLED)

    async def gone() -> bool:
        return not await world.left(avs)

    await until(gone, SLOW)


async def test_the_executors_own_limit_ends_a_deployment_whose_caller_would_wait(
    world: World, program: ExecutorProgram
) -> None:
    await program.start(deploy_timeout="2s", stop_on_exit=True)
    async with calling(world, program.address) as caller:
        error = await refused(caller.deploy(not_serving="true", seconds=60))
        assert error.code is Code.DEADLINE_EXCEEDED
        assert "was not healthy after 2 s" in error.message
        await caller.gone()
