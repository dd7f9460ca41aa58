"""RemovePerformer: drained, ended, forgotten."""

import asyncio

from hourglass_common.domain.errors import Code

from tests.support.executor_process import until
from tests.support.modes.executor import SLOW, Caller
from tests.support.modes.refusals import refused


async def test_a_removed_performer_is_off_the_list_and_takes_no_task(caller: Caller) -> None:
    await caller.deploy()
    performer_id = (await caller.performer()).performer_id
    text = await caller.tasks.remove(performer_id)
    assert text == f"Performer {performer_id} removed successfully"
    assert await caller.listed() == ()
    assert (await refused(caller.submit())).code is Code.NOT_FOUND


async def test_nothing_is_left_of_a_removed_performer(caller: Caller) -> None:
    await caller.deploy()
    assert len(await caller.world.left(caller.avs)) == 1
    await caller.tasks.remove((await caller.performer()).performer_id)
    await caller.gone()
    assert await caller.endpoints() == ()


async def test_a_performer_is_removed_once(caller: Caller) -> None:
    await caller.deploy()
    performer_id = (await caller.performer()).performer_id
    await caller.tasks.remove(performer_id)
    error = await refused(caller.tasks.remove(performer_id))
    assert error.code is Code.NOT_FOUND


async def test_a_removal_waits_for_the_task_that_runs(caller: Caller) -> None:
    await caller.deploy(delay="2")
    performer_id = (await caller.performer()).performer_id
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(caller.submit())

        async def runs() -> bool:
            return [one.in_flight for one in await caller.endpoints()] == [1]

        await until(runs, SLOW)
        began = asyncio.get_running_loop().time()
        await caller.tasks.remove(performer_id)
        assert asyncio.get_running_loop().time() - began > 1
    assert asked.result() == b"0x10"


async def test_a_removal_leaves_the_performers_of_others_alone(caller: Caller) -> None:
    other = caller.for_another()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.deploy())
            group.create_task(other.deploy())
        life = await other.world.life(await other.resource())
        await caller.clear()
        assert await other.world.life(await other.resource()) == life
        assert await other.submit() == b"0x10"
    finally:
        await other.clear()


async def test_a_program_that_does_not_heed_sigterm_is_ended(caller: Caller) -> None:
    await caller.deploy(ignore_sigterm="true")
    await caller.clear()
    await caller.gone()


async def test_an_avs_can_be_deployed_again_after_its_removal(caller: Caller) -> None:
    await caller.deploy()
    await caller.clear()
    await caller.deploy()
    assert await caller.submit() == b"0x10"
