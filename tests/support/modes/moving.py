"""A performer that moves from one mode to another while tasks come."""

import asyncio
from collections import Counter
from typing import Any

from tests.support.executor_process import until

from .executor import SLOW, Caller, ExecutorProgram, calling
from .world import Artifact, World


def both(first: World, second: World) -> dict[str, Any]:
    """Return the parts of a configuration with the modes of both; performers stay on a stop."""
    sections = [one.section(deploy_timeout="60s", stop_on_exit=False) for one in (second, first)]
    return {"allowMixedModes": True, **sections[0], **sections[1]}


def named(world: World) -> Artifact:
    """Return the mode's first artifact with the mode's word before its registry."""
    artifact = world.artifacts[0]
    return Artifact(f"{world.mode}://{artifact.registry}", artifact.digest)


async def moves_and_comes_back(program: ExecutorProgram, first: World, second: World) -> None:
    """Move an AVS from one mode to the other and back by DeployArtifact, under load."""
    await program.start(**both(first, second))
    async with calling(first, program.address) as caller:
        await caller.deploy(named(first))
        outputs: list[bytes] = []
        enough = asyncio.Event()

        async def load() -> None:
            while not enough.is_set():
                outputs.append(await caller.submit())
                await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(load())
            for old, new in ((first, second), (second, first)):
                await caller.deploy(named(new))
                done = len(outputs)
                await only_in(caller, old, new)
                await until(lambda done=done: len(outputs) > done + 20, SLOW)  # type: ignore[misc]
            enough.set()
        assert Counter(outputs) == {b"0x10": len(outputs)}
        await caller.clear()


async def stays_where_it_is_when_nothing_is_said(
    program: ExecutorProgram, first: World, second: World
) -> None:
    """Move an AVS, restart the executor, and deploy again without naming a mode."""
    await program.start(**both(first, second))
    async with calling(first, program.address) as caller:
        await caller.deploy(named(second))
        avs = caller.avs
    await program.kill()
    await program.start(**both(first, second))
    async with calling(first, program.address, avs) as caller:
        assert await caller.submit() == b"0x10"
        await caller.deploy(second.artifacts[1])
        await only_in(caller, first, second)
        await caller.clear()


async def moves_by_configuration(program: ExecutorProgram, first: World, second: World) -> None:
    """Start with an AVS in one mode, and start again with it in the other."""
    async with calling(first, "127.0.0.1:1") as nobody:
        avs = nobody.avs
    for world, old in ((first, second), (second, first)):
        performer = {
            "image": world.artifacts[0].image,
            "avsAddress": avs,
            "deploymentMode": world.mode,
        }
        await program.start(**both(first, second), avsPerformers=[performer])
        async with calling(world, program.address, avs) as caller:
            # The one that was left running answers until the new one does.
            assert await caller.submit() == b"0x10"

            async def moved(caller: Caller = caller, world: World = world) -> bool:
                listed = await caller.listed()
                return len(listed) == 1 and len(await world.left(avs)) == 1

            await until(moved, SLOW)
            await only_in(caller, old, world)
            if world is second:
                await caller.clear()
        await program.stop()


async def only_in(caller: Caller, old: World, new: World) -> None:
    """Return once what answers for the AVS runs in ``new``, and nothing is left in ``old``."""

    async def holds() -> bool:
        listed = await caller.listed()
        return (
            [one.status for one in listed] == ["InService"]
            and await new.life(listed[0].container_id) is not None
            and not await old.left(caller.avs)
        )

    await until(holds, SLOW)
