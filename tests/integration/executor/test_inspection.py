"""ExecutorInspection of a running executor: what it knows of the instances that it uses."""

from pathlib import Path

import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.inspection.client import InspectionClient
from hourglass_services.inspection.port import BreakerState, EndpointHealth
from hourglass_services.inspection.tasks import Resolved
from hourglass_services.rpc.channel import open_channel

from tests.support.executor_process import running_executor
from tests.support.executor_values import AVS, settings, submission


async def test_an_endpoint_is_told_with_its_health_breaker_and_tasks(tmp_path: Path) -> None:
    given = settings(tmp_path)
    async with running_executor(given) as at, open_channel(at.management) as channel:
        await ExecutorClient(channel).submit(submission(), timeout_seconds=20)
        client = InspectionClient(channel)
        told = await client.list_endpoints(AVS.upper().replace("0X", "0x"))
        (one,) = told.endpoints
        assert told.operator_address == given.operator.address
        assert (one.avs_address, one.role, one.connected) == (AVS.lower(), Role.IN_SERVICE, True)
        assert (one.health, one.breaker) == (EndpointHealth.SERVING, BreakerState.CLOSED)
        assert (one.in_flight, one.skipped, one.lost) == (0, "", 0)
        assert one.latency_seconds > 0
        assert one.last_health_check is not None
        assert (one.sent, one.answered, one.failed) == (1, 1, 0)
        assert (one.connection, one.breaker_until) == ("READY", None)
        assert (await client.list_endpoints("0x" + "9" * 40)).endpoints == ()


async def test_with_authentication_it_is_told_to_nobody_without_a_signed_token(
    tmp_path: Path,
) -> None:
    given = settings(tmp_path, authentication={"enabled": True}, avsPerformers=[])
    async with running_executor(given) as at, open_channel(at.management) as channel:
        client, task_id = InspectionClient(channel), submission().task_id
        said = Resolved(output=None, resolved_by="ada", note="it broke")
        for call in (
            client.list_endpoints(),
            client.get_task(task_id),
            client.list_tasks(),
            client.resolve_task(task_id, said),
            client.explain(task_id=task_id),
            client.explain(avs_address=AVS),
            anext(client.tap()),
        ):
            with pytest.raises(HourglassError) as refused:
                await call
            assert refused.value.code is Code.UNAUTHENTICATED
