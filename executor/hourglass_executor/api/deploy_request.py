"""What a DeployArtifact must hold, how long it may take, and the words of its refusals. Pure."""

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.port import Deployed, DeployRequest

from hourglass_executor.deployers.deployment import Deployment, Mode

TOLD_BEFORE_SECONDS = 0.5
"""So long before its caller's deadline a deployment is given up, or a tenth of the time if that is
less: an answer at the deadline itself would not arrive."""


def validate_request(request: DeployRequest) -> None:
    """INVALID_ARGUMENT with the reference's text for the first field that is missing."""
    for value, text in (
        (request.avs_address, "AVS address is required"),
        (request.digest, "Artifact digest is required"),
        (request.registry, "Registry URL is required"),
    ):
        if not value:
            raise HourglassError(Code.INVALID_ARGUMENT, text, reason="INVALID_REQUEST")


def time_within(timeout_seconds: float | None, limit: float) -> float:
    """Return how long a deployment may take so that its caller still hears why it failed."""
    if timeout_seconds is None:
        return limit
    return min(limit, timeout_seconds - min(TOLD_BEFORE_SECONDS, timeout_seconds * 0.1))


def completed(deployment: Deployment) -> Deployed:
    """Return the reference's words for one that is in service."""
    of_cluster = deployment.mode is Mode.KUBERNETES
    prefix = "k8s-deployment" if of_cluster else "deployment"
    return Deployed(
        message="Kubernetes deployment completed successfully"
        if of_cluster
        else "Deployment completed successfully",
        deployment_id=f"{prefix}-{deployment.avs}-{deployment.performer_id.rpartition('-')[2]}",
    )


def in_progress(avs: str) -> HourglassError:
    return HourglassError(
        Code.ALREADY_EXISTS,
        "deployment already in progress",
        reason="DEPLOYMENT_IN_PROGRESS",
        hint=f"wait until the running deployment for {avs} has ended",
        retry_after=5.0,
    )


def too_late(deployment: Deployment, why: str, seconds: float) -> HourglassError:
    return HourglassError(
        Code.DEADLINE_EXCEEDED,
        f"deployment timeout: performer {deployment.performer_id} ({deployment.artifact.image})"
        f" was not healthy after {seconds:.0f} s: {why or 'it does not report SERVING'}",
        reason="DEPLOYMENT_TIMEOUT",
        hint="the performer that was in service goes on serving; see the new one's logs",
    )
