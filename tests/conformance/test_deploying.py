"""What a deployment that goes well gives, and what is said of it."""

import asyncio
from datetime import UTC, datetime, timedelta

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.health import HealthSource
from hourglass_services.inspection.port import EndpointHealth

from tests.support.executor_process import until
from tests.support.modes.executor import Caller


async def test_a_deployed_artifact_answers_a_task(caller: Caller) -> None:
    answer = await caller.deploy()
    assert await caller.submit() == b"0x10"
    assert answer.message == caller.world.said
    assert answer.deployment_id.startswith(f"{caller.world.prefix}-{caller.avs}-")


async def test_a_performer_is_listed_with_its_artifact_and_its_health(caller: Caller) -> None:
    await caller.deploy()
    found = await caller.performer()
    artifact = caller.world.artifacts[0]
    assert found.avs_address == caller.avs
    assert found.status == "InService"
    assert (found.artifact_registry, found.artifact_digest) == (artifact.registry, artifact.digest)
    assert found.artifact_tag == ""
    assert (found.resource_healthy, found.application_healthy) == (True, True)
    assert found.container_id != ""


async def test_a_performer_is_healthy_from_the_moment_on_that_a_check_said_so(
    caller: Caller,
) -> None:
    began = datetime.now(UTC)
    await caller.deploy()
    checked = datetime.fromisoformat((await caller.performer()).last_health_check)
    assert began - timedelta(seconds=1) <= checked <= datetime.now(UTC)


async def test_an_instance_is_inspected_as_connected_serving_and_in_service(
    caller: Caller,
) -> None:
    await caller.deploy()
    (found,) = await caller.endpoints()
    assert found.performer_id == (await caller.performer()).performer_id
    assert (found.connected, found.health, found.role) == (
        True,
        EndpointHealth.SERVING,
        Role.IN_SERVICE,
    )
    assert (found.health_source, found.skipped, found.in_flight) == (HealthSource.WATCH, "", 0)


async def test_an_avs_is_the_same_in_any_case(caller: Caller) -> None:
    lower = caller.avs
    caller.avs = "0x" + lower[2:].upper()
    await caller.deploy()
    assert [one.avs_address for one in await caller.listed()] == [lower]
    assert await caller.submit() == b"0x10"
    caller.avs = lower
    assert await caller.submit() == b"0x10"


async def test_a_listing_without_a_filter_has_the_performers_of_all(caller: Caller) -> None:
    other = caller.for_another()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.deploy())
            group.create_task(other.deploy())
        listed = {one.avs_address for one in await caller.tasks.list()}
        assert {caller.avs, other.avs} <= listed
        assert [one.avs_address for one in await caller.listed()] == [caller.avs]
    finally:
        await other.clear()


async def test_an_avs_without_a_performer_has_an_empty_list(caller: Caller) -> None:
    assert await caller.listed() == ()
    assert await caller.endpoints() == ()


async def test_a_performer_that_is_slow_to_start_is_waited_for(caller: Caller) -> None:
    await caller.deploy(start_delay="2")
    assert await caller.submit() == b"0x10"


async def test_two_avss_are_deployed_at_the_same_time_and_each_has_its_own(
    caller: Caller,
) -> None:
    other = caller.for_another()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.deploy(fail="OUT_OF_RANGE", fail_every="2"))
            group.create_task(other.deploy())
        ours, theirs = await caller.resource(), await other.resource()
        assert ours != theirs
        assert await caller.submit() == b"0x10"
        await other.submit()
        assert await other.submit() == b"0x10"  # its second one: it is not ours that answers
    finally:
        await other.clear()


async def test_what_runs_is_told_its_avs_and_its_port(caller: Caller) -> None:
    await caller.deploy(delay="0")
    found = await caller.world.environment(await caller.resource())
    assert found["AVS_ADDRESS"] == caller.avs
    assert found["DEMO_PERFORMER_DELAY"] == "0"
    assert int(found["GRPC_PORT"]) > 0


async def test_tasks_of_one_avs_run_side_by_side(caller: Caller) -> None:
    await caller.deploy(delay="1.5")
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(caller.submit()) for _ in range(4)]

        async def all_there() -> bool:
            return sum(one.in_flight for one in await caller.endpoints()) == 4

        await until(all_there, 5)
    assert {one.result() for one in asked} == {b"0x10"}
