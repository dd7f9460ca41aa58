"""What does not come up is told with its reason; what falls comes up again."""

import pytest
from hourglass_common.domain.errors import Code
from hourglass_services.inspection.port import EndpointHealth

from tests.support.executor_process import until
from tests.support.modes.executor import SLOW, Caller
from tests.support.modes.refusals import refused


async def test_an_image_that_is_nowhere_is_named(caller: Caller) -> None:
    missing = caller.world.missing
    error = await refused(caller.deploy(missing, seconds=6))
    assert error.code in (Code.FAILED_PRECONDITION, Code.NOT_FOUND, Code.DEADLINE_EXCEEDED)
    assert missing.registry in error.message
    await caller.gone()


async def test_a_program_that_ends_at_once_is_a_deployment_that_times_out_and_says_why(
    caller: Caller,
) -> None:
    error = await refused(caller.deploy(delay="none", seconds=5))
    assert error.code is Code.DEADLINE_EXCEEDED
    assert "deployment timeout" in error.message
    assert caller.world.artifacts[0].registry in error.message
    assert not error.message.endswith("it does not report SERVING"), "no reason is told"
    await caller.gone()


async def test_a_program_that_reports_not_serving_is_a_deployment_that_times_out(
    caller: Caller,
) -> None:
    error = await refused(caller.deploy(not_serving="true", seconds=3))
    assert error.code is Code.DEADLINE_EXCEEDED
    assert "was not healthy after" in error.message
    await caller.gone()


async def test_an_instance_that_is_killed_comes_back(caller: Caller) -> None:
    await caller.deploy()
    performer = await caller.performer()
    resource = await caller.resource()
    before = await caller.world.life(resource)
    await caller.world.kill(resource)
    await caller.restarted(before)
    assert await caller.submit() == b"0x10"
    assert (await caller.performer()).performer_id == performer.performer_id


async def test_a_task_that_comes_while_nothing_runs_waits_for_what_comes_back(
    caller: Caller,
) -> None:
    await caller.deploy()
    await caller.world.kill(await caller.resource())

    async def away() -> bool:
        return not (await caller.performer()).application_healthy

    await until(away, SLOW)
    assert await caller.submit() == b"0x10"


async def test_a_program_that_leaves_by_itself_is_started_again(caller: Caller) -> None:
    await caller.deploy(exit_after="1")
    assert await caller.submit() == b"0x10"

    async def left() -> bool:
        return not (await caller.performer()).application_healthy

    await until(left, SLOW)
    assert await caller.submit() == b"0x10"


async def test_a_program_that_dies_in_a_task_leaves_its_outcome_unknown_and_comes_back(
    caller: Caller,
) -> None:
    await caller.deploy(exit_during="2")
    assert await caller.submit() == b"0x10"
    error = await refused(caller.submit())
    assert (error.code, error.reason) == (Code.ABORTED, "TASK_OUTCOME_UNKNOWN")
    assert await caller.submit() == b"0x10"


async def test_an_instance_that_reports_not_serving_is_out_of_rotation(caller: Caller) -> None:
    await caller.deploy(not_serving_after="1")
    assert await caller.submit() == b"0x10"

    async def out() -> bool:
        return not (await caller.performer()).application_healthy

    await until(out, SLOW)
    assert (await caller.performer()).status == "InService"
    skipped = [one.skipped for one in await caller.endpoints()]
    assert "" not in skipped
    serving = [one.health is EndpointHealth.SERVING for one in await caller.endpoints()]
    assert not any(serving)


@pytest.mark.parametrize("code", ["NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL"])
async def test_what_a_performer_fails_with_is_what_its_caller_gets(
    caller: Caller, code: str
) -> None:
    await caller.deploy(fail=code)
    error = await refused(caller.submit())
    assert error.code is Code[code]
    assert "as told" in error.message
    (found,) = await caller.endpoints()
    assert found.health is EndpointHealth.SERVING
