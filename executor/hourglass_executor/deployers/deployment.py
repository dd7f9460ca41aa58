"""A deployment: one artifact run for one AVS, and what must be kept of it. Pure."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from hourglass_services.executor.port import EnvironmentVariable


class Mode(Enum):
    """Where performers run, as ``deploymentMode`` spells it."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    PROCESS = "process"


class DeploymentState(Enum):
    """``STAGED`` until it is healthy and promoted; ``RETIRING`` while it drains."""

    STAGED = "staged"
    IN_SERVICE = "in_service"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An image: a repository with a digest, or else a tag."""

    registry: str
    digest: str = ""
    tag: str = ""

    @property
    def image(self) -> str:
        if self.digest:
            return f"{self.registry}@{self.digest}"
        return f"{self.registry}:{self.tag}" if self.tag else self.registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What to run. ``avs`` is lower case; ``configured``: the configuration asks for it;
    ``options``, JSON, is what Kubernetes alone has: ``spec`` and ``labels`` of the object;
    ``follows`` names an object that is there already, and is somebody else's."""

    performer_id: str
    avs: str
    artifact: Artifact
    mode: Mode
    environment: tuple[EnvironmentVariable, ...] = ()
    service_account: str = ""
    endpoint_override: str = ""
    replicas: int = 1
    configured: bool = False
    options: str = ""
    follows: str = ""

    @property
    def cluster_options(self) -> dict[str, Any]:
        """Return what the configuration says of the Performer object's spec."""
        return dict(self._options().get("spec") or {})

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that the configuration gives the Performer object."""
        return dict(self._options().get("labels") or {})

    def _options(self) -> dict[str, Any]:
        return dict(json.loads(self.options)) if self.options else {}

    def asks_for_the_same(self, other: "Deployment") -> bool:
        """Whether both describe the same workload, whatever their ids are."""
        return _workload(self) == _workload(other)


def _workload(deployment: Deployment) -> tuple[object, ...]:
    return (
        deployment.avs,
        deployment.artifact,
        deployment.mode,
        deployment.environment,
        deployment.service_account,
        deployment.endpoint_override,
        deployment.replicas,
        deployment.options,
        deployment.follows,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """A deployment as the store has it; ``handle`` is its deployer's own note, "" before one."""

    deployment: Deployment
    state: DeploymentState
    created_at: datetime
    handle: str = ""


def object_name(avs: str, performer_id: str) -> str:
    """Return the DNS label of a deployment's object: the same again after a crash."""
    of_avs = hashlib.sha256(avs.lower().encode()).hexdigest()[:6]
    of_performer = hashlib.sha256(performer_id.encode()).hexdigest()[:8]
    return f"performer-{of_avs}-{of_performer}"
