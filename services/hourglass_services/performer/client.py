"""PerformerService from the executor's side: one task, one call, one honest ending.

Once a call exists, a status alone does not tell whether the task ran: gRPC makes up CANCELLED,
UNKNOWN, INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED and more when a connection breaks, and a text
proves nothing. Two things do:

- codes that no gRPC library ever makes up (the list in gRPC's own status code reference):
  the performer's handler said so, and the task has ended in failure;
- trailing metadata ``hourglass-task-state``, which only a performer that knows it sends:
  ``failed`` (it ran, and this status is its result) or ``not-started`` (it never ran).

Every other end without a response is an unknown outcome.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio
from eigenlayer.hourglass.v1.performer import performer_pb2
from google.protobuf.message import DecodeError
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, TaskOutcome

from hourglass_services.rpc.redaction import QUOTED
from hourglass_services.rpc.status import code_of

from .channel import DEFAULT_MAX_MESSAGE_BYTES

TASK_STATE_TRAILER: Final = "hourglass-task-state"
NOT_STARTED: Final = "not-started"
FAILED: Final = "failed"

REASON_NOT_STARTED: Final = "TASK_NOT_STARTED"
REASON_OUTCOME_UNKNOWN: Final = "TASK_OUTCOME_UNKNOWN"

_MAX_DETAILS = 500  # of a performer's own text, in characters
_EXECUTE_TASK = "/eigenlayer.hourglass.v1.performer.PerformerService/ExecuteTask"

_ONLY_FROM_A_HANDLER = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.NOT_FOUND,
        Code.ALREADY_EXISTS,
        Code.FAILED_PRECONDITION,
        Code.ABORTED,
        Code.OUT_OF_RANGE,
        Code.DATA_LOSS,
    }
)


@dataclass(frozen=True, slots=True)
class CallEnd:
    """``code`` is how the call itself ended, None with a good answer: what a breaker counts."""

    outcome: TaskOutcome
    code: Code | None


class PerformerClient:
    """Calls one instance of a performer over ``channel``, which stays the caller's to close."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        instance: str,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    ) -> None:
        self._instance = instance
        self._limit = max_message_bytes
        self._execute: Any = channel.unary_unary(_EXECUTE_TASK)  # on bytes: decoded below

    async def execute(self, task_id: str, payload: bytes, *, timeout_seconds: float) -> CallEnd:
        """Send one task and return how that ended; never raises for what the performer does.

        ``timeout_seconds`` goes with the call as its deadline. A cancelled caller cancels the call.
        """
        identity = task_id.encode("ascii")
        request = performer_pb2.TaskRequest(task_id=identity, payload=payload).SerializeToString()
        if len(request) > self._limit:
            return self._too_large_to_send(task_id, len(request))
        try:
            call = self._execute(request, timeout=max(timeout_seconds, 0.0), wait_for_ready=False)
        except grpc.aio.UsageError as closed:
            return self._not_started(task_id, Code.UNAVAILABLE, str(closed))
        try:
            response: bytes = await call
        except grpc.aio.AioRpcError as end:
            return self._ended_without_answer(task_id, end)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            # Not this task was cancelled but the call, by the channel that closed under it.
            return self._unknown(task_id, Code.CANCELLED, "the channel was closed")
        return self._read(task_id, identity, response)

    def _read(self, task_id: str, identity: bytes, response: bytes) -> CallEnd:
        if len(response) > self._limit:
            return self._bad_answer(
                task_id,
                Code.RESOURCE_EXHAUSTED,
                f"its answer of {len(response)} bytes is over the limit of {self._limit}",
                hint="make the performer's result smaller, or raise the message limit",
            )
        try:
            answer = performer_pb2.TaskResponse.FromString(response)
        except DecodeError:
            return self._bad_answer(task_id, Code.INTERNAL, "its answer is not a TaskResponse")
        if answer.task_id != identity:
            shown = _shown(answer.task_id)
            what = f"it answered for task {shown}"
            return self._bad_answer(task_id, Code.DATA_LOSS, what, said=shown)
        return CallEnd(Completed(answer.result, self._instance), None)

    def _ended_without_answer(self, task_id: str, end: grpc.aio.AioRpcError) -> CallEnd:
        code = code_of(end.code())
        details = (end.details() or "no details")[:_MAX_DETAILS]
        state = _task_state(end)
        if state == NOT_STARTED:
            return self._not_started(task_id, code, details)
        if state == FAILED or code in _ONLY_FROM_A_HANDLER:
            error = HourglassError(
                code,
                f"performer instance {self._instance} failed task {task_id}: {details}",
                reason="TASK_FAILED",
                hint="see the performer's logs",
                metadata={QUOTED: details},
            )
            return CallEnd(Failed(error, executed=True), code)
        return self._unknown(task_id, code, details)

    def _not_started(self, task_id: str, code: Code, details: str) -> CallEnd:
        error = HourglassError(
            code,
            f"performer instance {self._instance} did not start task {task_id}: {details}",
            reason=REASON_NOT_STARTED,
            metadata={QUOTED: details},
        )
        return CallEnd(Failed(error, executed=False), code)

    def _unknown(self, task_id: str, code: Code, details: str) -> CallEnd:
        error = HourglassError(
            Code.ABORTED,
            f"nobody knows whether task {task_id} ran: the call to performer instance "
            f"{self._instance} ended with {code.value}: {details}",
            reason=REASON_OUTCOME_UNKNOWN,
            hint="see the performer's logs; `hourglass task resolve` closes it",
            metadata={
                "taskId": task_id,
                "instance": self._instance,
                "status": code.value,
                QUOTED: details,
            },
        )
        return CallEnd(OutcomeUnknown(error, self._instance), code)

    def _too_large_to_send(self, task_id: str, size: int) -> CallEnd:
        error = HourglassError(
            Code.RESOURCE_EXHAUSTED,
            f"task {task_id} makes a message of {size} bytes, over the limit of {self._limit}",
            reason="TASK_TOO_LARGE",
            hint="send a smaller payload, or raise the message limit",
        )
        return CallEnd(Failed(error, executed=False), Code.RESOURCE_EXHAUSTED)

    def _bad_answer(
        self, task_id: str, code: Code, what: str, *, hint: str = "", said: str = ""
    ) -> CallEnd:
        error = HourglassError(
            code,
            f"performer instance {self._instance} ran task {task_id}, but {what}",
            reason="BAD_PERFORMER_ANSWER",
            hint=hint
            or "mend the performer: its TaskResponse must carry the id of the TaskRequest",
            metadata={QUOTED: said} if said else {},
        )
        return CallEnd(Failed(error, executed=True), code)


def _task_state(end: grpc.aio.AioRpcError) -> str | None:
    for key, value in end.trailing_metadata() or ():
        if key == TASK_STATE_TRAILER:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return None


def _shown(identity: bytes) -> str:
    """Return another task's id as text that can not flood a log."""
    return repr(identity[:80].decode("utf-8", "replace")) if identity else "without an id"
