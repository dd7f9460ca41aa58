"""ExecutorService and ExecutorManagementService over gRPC: translate and call the port."""

from dataclasses import replace
from typing import Any

from eigenlayer.hourglass.v1 import executor_pb2

from .addressing import addressee_of
from .codec import (
    auth_from_proto,
    deploy_from_proto,
    performer_to_proto,
    result_to_proto,
    submission_from_proto,
)
from .port import ExecutorPort, ManagementPort

EXECUTOR_SERVICE = executor_pb2.DESCRIPTOR.services_by_name["ExecutorService"]
MANAGEMENT_SERVICE = executor_pb2.DESCRIPTOR.services_by_name["ExecutorManagementService"]


class ExecutorServicer:
    """Methods are named as in the .proto."""

    def __init__(self, port: ExecutorPort) -> None:
        self._port = port

    async def SubmitTask(
        self, request: executor_pb2.TaskSubmission, context: Any
    ) -> executor_pb2.TaskResult:
        submission = submission_from_proto(request)
        addressee = addressee_of(context.invocation_metadata())
        if addressee is not None:
            submission = replace(submission, addressee=addressee)
        return result_to_proto(await self._port.submit(submission))


class ManagementServicer:
    """Methods are named as in the .proto."""

    def __init__(self, port: ManagementPort) -> None:
        self._port = port

    async def DeployArtifact(
        self, request: executor_pb2.DeployArtifactRequest, context: Any
    ) -> executor_pb2.DeployArtifactResponse:
        deployed = await self._port.deploy(deploy_from_proto(request), context.time_remaining())
        return executor_pb2.DeployArtifactResponse(
            success=True, message=deployed.message, deployment_id=deployed.deployment_id
        )

    async def ListPerformers(
        self, request: executor_pb2.ListPerformersRequest, _: Any
    ) -> executor_pb2.ListPerformersResponse:
        found = await self._port.list(request.avs_address, auth_from_proto(request))
        return executor_pb2.ListPerformersResponse(performers=map(performer_to_proto, found))

    async def RemovePerformer(
        self, request: executor_pb2.RemovePerformerRequest, _: Any
    ) -> executor_pb2.RemovePerformerResponse:
        message = await self._port.remove(request.performer_id, auth_from_proto(request))
        return executor_pb2.RemovePerformerResponse(success=True, message=message)

    async def GetChallengeToken(
        self, request: executor_pb2.GetChallengeTokenRequest, _: Any
    ) -> executor_pb2.GetChallengeTokenResponse:
        challenge = await self._port.challenge(request.operator_address)
        return executor_pb2.GetChallengeTokenResponse(
            challenge_token=challenge.token, expires_at=challenge.expires_at
        )
