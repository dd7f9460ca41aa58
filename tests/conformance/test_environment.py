"""Variables of a performer: given, or taken from the executor's own environment."""

from hourglass_common.domain.errors import Code
from hourglass_services.executor.port import EnvironmentVariable

from tests.support.executor_process import until
from tests.support.modes.executor import SLOW, Caller
from tests.support.modes.refusals import refused

FROM_EXECUTOR = EnvironmentVariable(name="DEMO_PERFORMER_FAIL", value_from_env="CONFORMANCE_FAIL")
FROM_NOWHERE = EnvironmentVariable(name="COLOUR", value_from_env="CONFORMANCE_IS_NOT_SET")


async def test_a_given_variable_reaches_the_performer(caller: Caller) -> None:
    await caller.deploy(fail="UNAUTHENTICATED")
    assert (await refused(caller.submit())).code is Code.UNAUTHENTICATED


async def test_a_value_may_be_anything_that_is_text(caller: Caller) -> None:
    value = "a b=c \"d\" 'e' $HOME \\ é\t#"
    await caller.deploy(None, EnvironmentVariable(name="COLOUR", value=value))
    found = await caller.world.environment(await caller.resource())
    assert found["COLOUR"] == value


async def test_a_variable_can_come_from_the_executors_environment(caller: Caller) -> None:
    await caller.deploy(None, FROM_EXECUTOR)
    assert (await refused(caller.submit())).code is Code.DATA_LOSS


async def test_a_variable_that_the_executor_lacks_is_named_and_nothing_is_deployed(
    caller: Caller,
) -> None:
    error = await refused(caller.deploy(None, FROM_NOWHERE))
    assert error.code is Code.FAILED_PRECONDITION
    assert "COLOUR" in error.message
    assert "CONFORMANCE_IS_NOT_SET" in error.message
    await caller.gone()


async def test_a_variable_that_the_executor_lacks_leaves_the_old_performer_serving(
    caller: Caller,
) -> None:
    await caller.deploy()
    await refused(caller.deploy(None, FROM_NOWHERE))
    assert await caller.submit() == b"0x10"

    async def one() -> bool:
        return [found.status for found in await caller.listed()] == ["InService"]

    await until(one, SLOW)


async def test_the_executors_own_environment_is_not_the_performers(caller: Caller) -> None:
    await caller.deploy()
    found = await caller.world.environment(await caller.resource())
    assert "CONFORMANCE_FAIL" not in found


async def test_variables_survive_a_restart_of_the_instance(caller: Caller) -> None:
    await caller.deploy(None, FROM_EXECUTOR)
    resource = await caller.resource()
    before = await caller.world.life(resource)
    await caller.world.kill(resource)
    await caller.restarted(before)
    assert (await refused(caller.submit())).code is Code.DATA_LOSS
