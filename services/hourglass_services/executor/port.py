"""What an executor does for its callers, without a word of gRPC. Pure."""

from dataclasses import dataclass
from typing import Protocol

from hourglass_common.domain.task import Addressee


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A task as an aggregator submits it; nothing in it is validated yet.

    ``addressee`` is no part of what is signed: it came beside the message."""

    task_id: str
    aggregator_address: str
    avs_address: str
    payload: bytes
    signature: bytes
    operator_set_id: int
    reference_timestamp: int
    executor_address: str
    task_block_number: int = 0
    version: int = 1
    addressee: Addressee | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """What the aggregator gets: the performer's output, signed."""

    task_id: str
    operator_address: str
    output: bytes
    result_signature: bytes
    avs_address: str
    operator_set_id: int
    auth_signature: bytes
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSignature:
    """A challenge token and its signature, see ``GetChallengeToken``."""

    challenge_token: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReference:
    """One key of a Secret or ConfigMap."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentVariable:
    """A variable with its ``value``, or with one of three places where the value is kept."""

    name: str
    value: str = ""
    value_from_env: str = ""
    secret: KeyReference | None = None
    config_map: KeyReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """Which artifact to run for which AVS."""

    avs_address: str
    digest: str
    registry: str
    environment: tuple[EnvironmentVariable, ...] = ()
    service_account: str = ""
    auth: AuthSignature | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The answer to a deployment that went well."""

    message: str
    deployment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformerInfo:
    """One performer as ListPerformers shows it; ``status`` is InService or Staged."""

    performer_id: str
    avs_address: str
    status: str
    artifact_registry: str
    artifact_digest: str
    artifact_tag: str
    resource_healthy: bool
    application_healthy: bool
    last_health_check: str = ""
    container_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A token to sign; ``expires_at`` in Unix seconds."""

    token: str
    expires_at: int


class ExecutorPort(Protocol):
    """ExecutorService."""

    async def submit(self, submission: Submission) -> TaskResult:
        """Run the task once and return its result; a repeat gets the first one's.

        INVALID_ARGUMENT, ALREADY_EXISTS for an id that was used for another task,
        PERMISSION_DENIED for a signature that does not hold, NOT_FOUND for an AVS without a
        performer, ABORTED with reason TASK_OUTCOME_UNKNOWN, or what the performer failed with.
        """
        ...


class ManagementPort(Protocol):
    """ExecutorManagementService. UNAUTHENTICATED where authentication is on and fails."""

    async def challenge(self, operator_address: str) -> Challenge:
        """UNIMPLEMENTED while authentication is off."""
        ...

    async def deploy(self, request: DeployRequest, timeout_seconds: float | None) -> Deployed:
        """Return when the performer takes the AVS's tasks. ALREADY_EXISTS while another
        deployment of the AVS runs, DEADLINE_EXCEEDED if it does not become healthy in time."""
        ...

    async def list(self, avs_address: str, auth: AuthSignature | None) -> tuple[PerformerInfo, ...]:
        """Return the performers of ``avs_address`` in any case, "" for all."""
        ...

    async def remove(self, performer_id: str, auth: AuthSignature | None) -> str:
        """Drain and remove; return the message. NOT_FOUND for an id that there is not."""
        ...
