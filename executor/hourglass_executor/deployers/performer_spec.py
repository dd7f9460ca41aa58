"""The Performer object of a deployment: what it says, and how it is known as ours. Pure."""

from collections.abc import Mapping
from typing import Any

from hourglass_common.domain.performer import GROUP
from hourglass_common.domain.performer_pod import DEFAULT_GRPC_PORT
from hourglass_services.executor.port import EnvironmentVariable

from .deployment import Deployment, object_name

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "hourglass-executor"
_AVS = f"{GROUP}/avs"


def performer_spec(
    deployment: Deployment, *, environment: Mapping[str, str], image_pull_policy: str
) -> dict[str, Any]:
    """Return the spec of the Performer object.

    What the configuration says of the CRD's own fields comes first; what the executor must know
    to use the performer, its image and its AVS, is the executor's to say.
    """
    spec = deployment.cluster_options
    config: dict[str, Any] = dict(spec.get("config") or {})
    port = config.setdefault("grpcPort", DEFAULT_GRPC_PORT)
    config["environment"] = {
        "AVS_ADDRESS": deployment.avs,
        "GRPC_PORT": str(port),
        **(config.get("environment") or {}),
        **environment,
    }
    kept = [found for one in deployment.environment if (found := _reference(one)) is not None]
    if kept or config.get("environmentFrom"):
        named = {one["name"] for one in kept}
        others = [one for one in config.get("environmentFrom") or () if one["name"] not in named]
        config["environmentFrom"] = [*others, *kept]
    if deployment.service_account:
        config["serviceAccountName"] = deployment.service_account
    return {
        "imagePullPolicy": image_pull_policy,
        "replicas": deployment.replicas,
        **spec,
        "avsAddress": deployment.avs,
        "image": deployment.artifact.image,
        "version": deployment.artifact.tag or deployment.artifact.digest,
        "config": config,
    }


def object_labels(deployment: Deployment) -> dict[str, str]:
    """Return the labels by which people find the object, and the executor knows its own."""
    return {
        **deployment.labels,
        "app": "hourglass-performer",
        MANAGED_BY: MANAGER,
        _AVS: deployment.avs,
        f"{GROUP}/performer": name_of(deployment),
    }


def is_ours(manifest: Mapping[str, Any], deployment: Deployment) -> bool:
    """Whether the object that has the deployment's name was made for it by an executor, or works
    for its AVS where it is somebody else's that is followed."""
    if deployment.follows:
        works_for = str((manifest.get("spec") or {}).get("avsAddress", ""))
        return works_for.lower() == deployment.avs
    found = (manifest.get("metadata") or {}).get("labels") or {}
    return found.get(MANAGED_BY) == MANAGER and found.get(_AVS) == deployment.avs


def name_of(deployment: Deployment) -> str:
    return deployment.follows or object_name(deployment.avs, deployment.performer_id)


def handle_of(name: str, uid: str) -> str:
    """Return what is kept of an object: its name, and the uid that it was made with."""
    return f"{name}/{uid}" if uid else name


def uid_of_handle(handle: str | None) -> str:
    """Return the uid in a kept handle, "" where none is known."""
    return (handle or "").partition("/")[2]


def _reference(variable: EnvironmentVariable) -> dict[str, Any] | None:
    for kind, found in (
        ("secretKeyRef", variable.secret),
        ("configMapKeyRef", variable.config_map),
    ):
        if found is not None:
            return {
                "name": variable.name,
                "valueFrom": {kind: {"name": found.name, "key": found.key}},
            }
    return None
