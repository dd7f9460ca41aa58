"""Clients of an executor, over a channel of ``rpc.channel.open_channel``."""

from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
from eigenlayer.hourglass.v1 import executor_pb2, executor_pb2_grpc

from hourglass_services.rpc.status import from_rpc_error

from .addressing import headers_for
from .codec import (
    auth_to_proto,
    deploy_to_proto,
    performer_from_proto,
    result_from_proto,
    submission_to_proto,
)
from .port import (
    AuthSignature,
    Challenge,
    Deployed,
    DeployRequest,
    PerformerInfo,
    Submission,
    TaskResult,
)


class ExecutorClient:
    """Errors come as ``HourglassError``, with the executor's own details."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._tasks: Any = executor_pb2_grpc.ExecutorServiceStub(channel)
        self._management: Any = executor_pb2_grpc.ExecutorManagementServiceStub(channel)

    async def submit(self, submission: Submission, *, timeout_seconds: float) -> TaskResult:
        """Wait at most ``timeout_seconds``; the task runs on, and may be asked for again."""
        call = self._tasks.SubmitTask(
            submission_to_proto(submission),
            timeout=timeout_seconds,
            metadata=headers_for(submission.addressee) or None,
        )
        return result_from_proto(await _answer(call))

    async def deploy(self, request: DeployRequest, *, timeout_seconds: float) -> Deployed:
        call = self._management.DeployArtifact(deploy_to_proto(request), timeout=timeout_seconds)
        answer = await _answer(call)
        return Deployed(message=answer.message, deployment_id=answer.deployment_id)

    async def list(
        self,
        avs_address: str = "",
        *,
        auth: AuthSignature | None = None,
        timeout_seconds: float = 10.0,
    ) -> tuple[PerformerInfo, ...]:
        request = executor_pb2.ListPerformersRequest(
            avs_address=avs_address, auth=auth_to_proto(auth)
        )
        answer = await _answer(self._management.ListPerformers(request, timeout=timeout_seconds))
        return tuple(performer_from_proto(one) for one in answer.performers)

    async def remove(
        self, performer_id: str, *, auth: AuthSignature | None = None, timeout_seconds: float = 60.0
    ) -> str:
        request = executor_pb2.RemovePerformerRequest(
            performer_id=performer_id, auth=auth_to_proto(auth)
        )
        answer = await _answer(self._management.RemovePerformer(request, timeout=timeout_seconds))
        return str(answer.message)

    async def challenge(self, operator_address: str, *, timeout_seconds: float = 10.0) -> Challenge:
        request = executor_pb2.GetChallengeTokenRequest(operator_address=operator_address)
        answer = await _answer(self._management.GetChallengeToken(request, timeout=timeout_seconds))
        return Challenge(token=answer.challenge_token, expires_at=answer.expires_at)


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as exc:
        raise from_rpc_error(exc) from exc
