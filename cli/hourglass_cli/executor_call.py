"""Submitting a task to an executor, for the commands that do."""

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import Submission, TaskResult
from hourglass_services.rpc.channel import open_channel


async def submit(address: str, submission: Submission, *, timeout_seconds: float) -> TaskResult:
    """Submit one task and return its result; HourglassError says how it failed, and where."""
    async with open_channel(address) as channel:
        try:
            return await ExecutorClient(channel).submit(submission, timeout_seconds=timeout_seconds)
        except HourglassError as error:
            raise _explained(error, address, submission) from error


def _explained(error: HourglassError, address: str, task: Submission) -> HourglassError:
    if error.code is Code.UNAVAILABLE and not error.reason:
        return HourglassError(
            Code.UNAVAILABLE,
            f"the executor at {address} can not be reached: {error.message}",
            hint="is `hourglass dev` or the executor running? --executor names its address",
        )
    if error.code is Code.DEADLINE_EXCEEDED:
        return HourglassError(
            Code.DEADLINE_EXCEEDED,
            f"task {task.task_id} has no result yet: {error.message}",
            hint=f"it goes on; to wait for its result, submit the same again with --task-id "
            f"{task.task_id} --reference-timestamp {task.reference_timestamp}",
        )
    return error
