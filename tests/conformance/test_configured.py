"""Performers that the configuration asks for."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hourglass_common.domain.errors import Code

from tests.support.executor_process import until
from tests.support.modes.executor import SLOW, Caller, ExecutorProgram, calling, new_avs
from tests.support.modes.refusals import refused
from tests.support.modes.world import Artifact, World


def configured(
    world: World, avs: str, artifact: Artifact | None = None, **more: Any
) -> dict[str, Any]:
    """Return an entry of ``avsPerformers``."""
    return {
        "image": (artifact or world.artifacts[0]).image,
        "avsAddress": avs,
        "deploymentMode": world.mode,
        **more,
    }


def variables(**settings: str) -> list[Mapping[str, str]]:
    return [
        {"name": f"DEMO_PERFORMER_{name.upper()}", "value": value}
        for name, value in settings.items()
    ]


async def test_configured_performers_come_up_and_one_that_fails_stops_no_other(
    world: World, program: ExecutorProgram
) -> None:
    good, missing, sick = new_avs(), new_avs(), new_avs()
    await program.start(
        stop_on_exit=True,
        avsPerformers=[
            configured(world, missing, world.missing),
            configured(world, sick, envs=variables(not_serving="true")),
            configured(world, good),
        ],
    )
    async with calling(world, program.address, good) as caller:
        # Sent before any of them is up: it waits.
        assert await caller.submit() == b"0x10"
        assert (await caller.performer()).status == "InService"
        for avs in (missing, sick):
            assert "InService" not in [
                one.status for one in await replace(caller, avs=avs).listed()
            ]


async def both(caller: Caller) -> None:
    """Return once both instances serve."""

    async def holds() -> bool:
        return [one.skipped for one in await caller.endpoints()] == ["", ""]

    await until(holds, SLOW)


async def test_two_replicas_share_the_tasks_and_one_of_them_is_enough(
    world: World, program: ExecutorProgram
) -> None:
    avs = new_avs()
    given = configured(world, avs, replicas=2, envs=variables(delay="0.5"))
    await program.start(stop_on_exit=True, avsPerformers=[given])
    async with calling(world, program.address, avs) as caller:
        await both(caller)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(caller.submit())

            async def shared() -> bool:
                return [one.in_flight for one in await caller.endpoints()] == [2, 2]

            await until(shared, SLOW)
        resources = (await caller.performer()).container_id.split(",")
        assert len(resources) == 2
        await world.kill(resources[0])

        async def out() -> bool:
            return [one.skipped for one in await caller.endpoints()] != ["", ""]

        await until(out, SLOW)
        assert {await caller.submit() for _ in range(3)} == {b"0x10"}
        await both(caller)


async def test_a_changed_configuration_replaces_the_performer(
    world: World, program: ExecutorProgram
) -> None:
    avs = new_avs()
    await program.start(avsPerformers=[configured(world, avs)])
    async with calling(world, program.address, avs) as caller:
        assert await caller.submit() == b"0x10"
        old = await caller.performer()
    await program.stop()
    changed = configured(world, avs, envs=variables(fail="DATA_LOSS"))
    await program.start(avsPerformers=[changed], stop_on_exit=True)
    async with calling(world, program.address, avs) as caller:

        async def replaced() -> bool:
            ids = [one.performer_id for one in await caller.listed()]
            return len(ids) == 1 and ids != [old.performer_id]

        await until(replaced, SLOW)
        assert (await refused(caller.submit())).code is Code.DATA_LOSS


async def test_what_was_deployed_by_a_call_is_newer_than_the_configuration(
    world: World, program: ExecutorProgram
) -> None:
    avs = new_avs()
    given = [configured(world, avs, envs=variables(fail="DATA_LOSS"))]
    await program.start(avsPerformers=given)
    async with calling(world, program.address, avs) as caller:
        assert (await refused(caller.submit())).code is Code.DATA_LOSS
        await caller.deploy(world.artifacts[1])
        deployed = await caller.performer()
    await program.stop()
    await program.start(avsPerformers=given, stop_on_exit=True)
    async with calling(world, program.address, avs) as caller:
        assert await caller.submit() == b"0x10"
        assert (await caller.performer()).performer_id == deployed.performer_id
