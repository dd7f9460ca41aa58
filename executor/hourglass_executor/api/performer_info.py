"""What ListPerformers shows of a deployment."""

from collections.abc import Sequence

from hourglass_common.domain.clock import rfc3339
from hourglass_services.executor.port import PerformerInfo

from hourglass_executor.deployers.deployment import DeploymentRecord, DeploymentState
from hourglass_executor.deployers.port import Deployer
from hourglass_executor.routing.health import HealthStatus
from hourglass_executor.routing.slot import EndpointView


def performer_info(
    record: DeploymentRecord, endpoints: Sequence[EndpointView], deployer: Deployer | None
) -> PerformerInfo:
    """Return the performer as it is now: what runs by its deployer, its health by the dispatcher's
    ``endpoints``, of which its own are picked."""
    deployment = record.deployment
    views = [view for view in endpoints if view.performer_id == deployment.performer_id]
    running = deployer.instances(deployment.performer_id) if deployer else ()
    checks = [view.last_health_check for view in views if view.last_health_check]
    staged = record.state is DeploymentState.STAGED
    return PerformerInfo(
        performer_id=deployment.performer_id,
        avs_address=deployment.avs,
        status="Staged" if staged else "InService",
        artifact_registry=deployment.artifact.registry,
        artifact_digest=deployment.artifact.digest,
        artifact_tag=deployment.artifact.tag,
        resource_healthy=any(one.running for one in running),
        application_healthy=any(view.health is HealthStatus.SERVING for view in views),
        last_health_check=rfc3339(max(checks)) if checks else "",
        container_id=",".join(one.resource for one in running),
    )
