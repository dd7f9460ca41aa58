"""One performer takes over from another; or it does not, and the other serves on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code, HourglassError

from tests.support.executor_process import until
from tests.support.modes.executor import SLOW, Caller
from tests.support.modes.refusals import refused


@asynccontextmanager
async def underway(caller: Caller) -> AsyncIterator[None]:
    """Keep a deployment going that never becomes healthy; its caller leaves in the end."""

    async def deploy() -> None:
        with suppress(HourglassError):
            await caller.deploy(caller.world.artifacts[1], not_serving="true", seconds=60)

    async def begun() -> bool:
        return "Staged" in [one.status for one in await caller.listed()]

    async with asyncio.TaskGroup() as group:
        deploying = group.create_task(deploy())
        await until(begun, SLOW)
        yield
        deploying.cancel()


async def only(caller: Caller, performer_id: str) -> bool:
    return [one.performer_id for one in await caller.listed()] == [performer_id]


async def test_another_artifact_replaces_the_one_before_and_leaves_no_ghost(
    caller: Caller,
) -> None:
    await caller.deploy()
    old = await caller.performer()
    second = caller.world.artifacts[1]
    await caller.deploy(second)
    new = await caller.performer()
    assert new.performer_id != old.performer_id
    assert (new.artifact_digest, new.status) == (second.digest, "InService")
    assert await caller.submit() == b"0x10"


async def test_the_same_artifact_can_be_deployed_again(caller: Caller) -> None:
    await caller.deploy()
    old = await caller.performer()
    await caller.deploy()
    new = await caller.performer()
    assert new.performer_id != old.performer_id
    assert new.artifact_digest == old.artifact_digest
    assert await caller.submit() == b"0x10"


async def test_a_replaced_performer_is_taken_away(caller: Caller) -> None:
    await caller.deploy()
    old = await caller.performer()
    await caller.deploy(caller.world.artifacts[1])

    async def gone() -> bool:
        known = {one.performer_id for one in await caller.endpoints()}
        return old.performer_id not in known and len(await caller.world.left(caller.avs)) == 1

    await until(gone, SLOW)


async def test_new_settings_reach_what_is_deployed_again(caller: Caller) -> None:
    await caller.deploy()
    await caller.deploy(fail="DATA_LOSS")
    assert (await refused(caller.submit())).code is Code.DATA_LOSS


async def test_both_are_listed_while_one_takes_over(caller: Caller) -> None:
    await caller.deploy()
    old = await caller.performer()
    async with underway(caller):
        listed = {one.performer_id: one.status for one in await caller.listed()}
        assert listed.pop(old.performer_id) == "InService"
        assert list(listed.values()) == ["Staged"]


async def test_a_staged_performer_takes_no_task(caller: Caller) -> None:
    await caller.deploy()
    old = await caller.performer()
    async with underway(caller):
        assert {await caller.submit() for _ in range(5)} == {b"0x10"}
        roles = {one.performer_id: one.role for one in await caller.endpoints()}
        assert roles.pop(old.performer_id) is Role.IN_SERVICE
        assert set(roles.values()) <= {Role.STAGED}


async def test_a_second_deployment_of_the_same_avs_is_refused_meanwhile(caller: Caller) -> None:
    async with underway(caller):
        error = await refused(caller.deploy())
        assert error.code is Code.ALREADY_EXISTS
        assert error.message.startswith("deployment already in progress")
        assert error.retry_after is not None


async def test_a_performer_is_not_removed_while_another_takes_over(caller: Caller) -> None:
    await caller.deploy()
    old = await caller.performer()
    async with underway(caller):
        error = await refused(caller.tasks.remove(old.performer_id))
        assert error.code is Code.ALREADY_EXISTS
        assert await caller.submit() == b"0x10"


async def test_a_deployment_blocks_no_other_call(caller: Caller) -> None:
    other = caller.for_another()
    async with underway(caller):
        async with asyncio.timeout(SLOW):
            await other.deploy()
            assert await other.submit() == b"0x10"
            await other.tasks.remove((await other.performer()).performer_id)
            assert await other.listed() == ()
        assert [one.status for one in await caller.listed()] == ["Staged"]


async def test_a_replacement_that_never_becomes_healthy_leaves_the_old_one_serving(
    caller: Caller,
) -> None:
    await caller.deploy()
    old = await caller.performer()
    error = await refused(caller.deploy(caller.world.artifacts[1], not_serving="true", seconds=3))
    assert error.code is Code.DEADLINE_EXCEEDED
    assert await caller.submit() == b"0x10"
    await until(lambda: only(caller, old.performer_id), SLOW)

    async def one_left() -> bool:
        return len(await caller.world.left(caller.avs)) == 1

    await until(one_left, SLOW)


async def test_after_a_deployment_that_failed_another_one_is_possible(caller: Caller) -> None:
    await refused(caller.deploy(not_serving="true", seconds=2))

    async def free() -> bool:
        try:
            await caller.deploy()
        except HourglassError as error:
            if error.code is not Code.ALREADY_EXISTS:  # the failed one is still given up
                raise
            return False
        return True

    await until(free, SLOW)
    assert await caller.submit() == b"0x10"


async def test_a_caller_that_leaves_takes_its_deployment_with_it(caller: Caller) -> None:
    async with underway(caller):
        pass
    await caller.gone()
    assert (await refused(caller.submit())).code is Code.NOT_FOUND


async def test_a_task_that_runs_at_the_change_is_finished_by_the_old_one(caller: Caller) -> None:
    await caller.deploy(delay="2")
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(caller.submit())

        async def runs() -> bool:
            return [one.in_flight for one in await caller.endpoints()] == [1]

        await until(runs, SLOW)
        await caller.deploy(caller.world.artifacts[1])
    assert asked.result() == b"0x10"


async def test_a_change_under_load_fails_no_task(caller: Caller) -> None:
    await caller.deploy()
    outputs: list[bytes] = []
    enough = asyncio.Event()

    async def load() -> None:
        while not enough.is_set():
            outputs.append(await caller.submit())

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(load())
        for artifact in reversed(caller.world.artifacts):
            await caller.deploy(artifact)
        enough.set()
    assert len(outputs) > 20
    assert set(outputs) == {b"0x10"}
