"""The executor's messages and its port's values, into each other."""

from eigenlayer.hourglass.v1 import executor_pb2
from eigenlayer.hourglass.v1.common import auth_pb2

from .port import (
    AuthSignature,
    DeployRequest,
    EnvironmentVariable,
    KeyReference,
    PerformerInfo,
    Submission,
    TaskResult,
)


def submission_from_proto(message: executor_pb2.TaskSubmission) -> Submission:
    return Submission(
        task_id=message.task_id,
        aggregator_address=message.aggregator_address,
        avs_address=message.avs_address,
        payload=message.payload,
        signature=message.signature,
        operator_set_id=message.operator_set_id,
        reference_timestamp=message.reference_timestamp,
        executor_address=message.executor_address,
        task_block_number=message.task_block_number,
        version=message.version,
    )


def submission_to_proto(submission: Submission) -> executor_pb2.TaskSubmission:
    return executor_pb2.TaskSubmission(
        task_id=submission.task_id,
        aggregator_address=submission.aggregator_address,
        avs_address=submission.avs_address,
        payload=submission.payload,
        signature=submission.signature,
        operator_set_id=submission.operator_set_id,
        reference_timestamp=submission.reference_timestamp,
        executor_address=submission.executor_address,
        task_block_number=submission.task_block_number,
        version=submission.version,
    )


def result_to_proto(result: TaskResult) -> executor_pb2.TaskResult:
    return executor_pb2.TaskResult(
        task_id=result.task_id,
        operator_address=result.operator_address,
        output=result.output,
        result_signature=result.result_signature,
        avs_address=result.avs_address,
        operator_set_id=result.operator_set_id,
        auth_signature=result.auth_signature,
        version=result.version,
    )


def result_from_proto(message: executor_pb2.TaskResult) -> TaskResult:
    return TaskResult(
        task_id=message.task_id,
        operator_address=message.operator_address,
        output=message.output,
        result_signature=message.result_signature,
        avs_address=message.avs_address,
        operator_set_id=message.operator_set_id,
        auth_signature=message.auth_signature,
        version=message.version,
    )


def auth_from_proto(
    message: executor_pb2.DeployArtifactRequest
    | executor_pb2.ListPerformersRequest
    | executor_pb2.RemovePerformerRequest,
) -> AuthSignature | None:
    """Return the request's signature; None where the field is not set."""
    if not message.HasField("auth"):
        return None
    return AuthSignature(
        challenge_token=message.auth.challenge_token, signature=message.auth.signature
    )


def auth_to_proto(auth: AuthSignature | None) -> auth_pb2.AuthSignature | None:
    if auth is None:
        return None
    return auth_pb2.AuthSignature(challenge_token=auth.challenge_token, signature=auth.signature)


def deploy_from_proto(message: executor_pb2.DeployArtifactRequest) -> DeployRequest:
    return DeployRequest(
        avs_address=message.avs_address,
        digest=message.digest,
        registry=message.registry_url,
        environment=tuple(_variable(one) for one in message.env),
        service_account=message.kubernetes.service_account_name,
        auth=auth_from_proto(message),
    )


def deploy_to_proto(request: DeployRequest) -> executor_pb2.DeployArtifactRequest:
    return executor_pb2.DeployArtifactRequest(
        avs_address=request.avs_address,
        digest=request.digest,
        registry_url=request.registry,
        env=[_variable_to_proto(one) for one in request.environment],
        kubernetes=executor_pb2.KubernetesConfig(service_account_name=request.service_account)
        if request.service_account
        else None,
        auth=auth_to_proto(request.auth),
    )


def performer_to_proto(info: PerformerInfo) -> executor_pb2.Performer:
    return executor_pb2.Performer(
        performer_id=info.performer_id,
        avs_address=info.avs_address,
        status=info.status,
        artifact_registry=info.artifact_registry,
        artifact_digest=info.artifact_digest,
        artifact_tag=info.artifact_tag,
        resource_healthy=info.resource_healthy,
        application_healthy=info.application_healthy,
        last_health_check=info.last_health_check,
        container_id=info.container_id,
    )


def performer_from_proto(message: executor_pb2.Performer) -> PerformerInfo:
    return PerformerInfo(
        performer_id=message.performer_id,
        avs_address=message.avs_address,
        status=message.status,
        artifact_registry=message.artifact_registry,
        artifact_digest=message.artifact_digest,
        artifact_tag=message.artifact_tag,
        resource_healthy=message.resource_healthy,
        application_healthy=message.application_healthy,
        last_health_check=message.last_health_check,
        container_id=message.container_id,
    )


def _variable(message: executor_pb2.PerformerEnv) -> EnvironmentVariable:
    kept = message.kubernetes_env.value_from
    secret = kept.secret_key_ref
    config = kept.config_map_key_ref
    return EnvironmentVariable(
        name=message.name,
        value=message.value,
        value_from_env=message.value_from_env,
        secret=KeyReference(name=secret.name, key=secret.key)
        if kept.HasField("secret_key_ref")
        else None,
        config_map=KeyReference(name=config.name, key=config.key)
        if kept.HasField("config_map_key_ref")
        else None,
    )


def _variable_to_proto(variable: EnvironmentVariable) -> executor_pb2.PerformerEnv:
    message = executor_pb2.PerformerEnv(
        name=variable.name, value=variable.value, value_from_env=variable.value_from_env
    )
    kept = message.kubernetes_env.value_from
    if variable.secret is not None:
        kept.secret_key_ref.name = variable.secret.name
        kept.secret_key_ref.key = variable.secret.key
    if variable.config_map is not None:
        kept.config_map_key_ref.name = variable.config_map.name
        kept.config_map_key_ref.key = variable.config_map.key
    return message
