"""``routing`` of a whole executor: what is written in its file decides what happens to tasks."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.rpc.channel import open_channel

from tests.support.executor_process import running_executor, until
from tests.support.executor_values import AVS, settings, submission

SMALL = {"concurrencyPerInstance": 1, "queueSize": 0}


async def answered(executor: ExecutorClient) -> bool:
    """Whether an instance takes tasks: without a queue none waits for its start."""
    try:
        await executor.submit(submission(9), timeout_seconds=20)
    except HourglassError:
        return False
    return True


async def ends_of_three_at_once(tmp_path: Path, own: dict[str, Any], **all_of: Any) -> list[Code]:
    """Return the codes of those of three tasks, sent at once, that were refused."""
    performer = {
        "image": {"repository": "demo-performer", "tag": "v1"},
        "avsAddress": AVS,
        "deploymentMode": "process",
        "envs": [{"name": "DEMO_PERFORMER_DELAY", "value": "0.5"}],
        **own,
    }
    given = settings(tmp_path, avsPerformers=[performer], **all_of)
    async with running_executor(given) as at, open_channel(at.grpc) as channel:
        executor = ExecutorClient(channel)
        await until(partial(answered, executor))
        ends = await asyncio.gather(
            *(executor.submit(submission(number), timeout_seconds=20) for number in (1, 2, 3)),
            return_exceptions=True,
        )
    return [end.code for end in ends if isinstance(end, HourglassError)]


@pytest.mark.parametrize(
    ("own", "all_of", "refused"),
    [
        ({}, {}, 0),
        ({}, {"routing": SMALL}, 2),
        ({"routing": SMALL}, {}, 2),
        ({"routing": {"queueSize": 1}}, {"routing": SMALL}, 1),
    ],
    ids=["default", "for all", "for one", "for one over all"],
)
async def test_a_task_is_refused_when_as_many_as_are_allowed_are_there(
    tmp_path: Path, own: dict[str, Any], all_of: dict[str, Any], refused: int
) -> None:
    found = await ends_of_three_at_once(tmp_path, own, **all_of)
    assert found == [Code.RESOURCE_EXHAUSTED] * refused
