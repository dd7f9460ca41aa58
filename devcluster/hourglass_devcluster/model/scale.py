"""The scale subresource: a view of the replicas of a kind that has them."""

from collections.abc import Mapping
from typing import Any

from .kinds import Kind, ScalePaths
from .selectors import selector_text
from .status import ApiError, bad_request
from .tree import at, copied, put

Manifest = Mapping[str, Any]


def read_scale(kind: Kind, manifest: Manifest) -> dict[str, Any]:
    """Return the Scale as it is read. 500 for a custom resource that names no replicas."""
    path = _paths(kind).spec_replicas
    if kind.custom is not None and at(manifest, path) is None:
        text = f'the spec replicas field ".{path}" does not exist'
        raise ApiError(500, "InternalError", f"Internal error occurred: {text}")
    return scale_of(kind, manifest)


def scale_of(kind: Kind, manifest: Manifest) -> dict[str, Any]:
    """Return the ``autoscaling/v1`` Scale of ``manifest``."""
    paths = _paths(kind)
    meta = manifest["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector = at(manifest, paths.label_selector) if paths.label_selector else None
    status: dict[str, Any] = {"replicas": at(manifest, paths.status_replicas) or 0}
    if selector:
        status["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": replicas} if (replicas := at(manifest, paths.spec_replicas)) else {},
        "status": status,
    }


def with_scale(kind: Kind, manifest: Manifest, scale: Any) -> dict[str, Any]:
    """Return ``manifest`` with the replicas of ``scale``. 400 if they are no number."""
    if not isinstance(scale, Mapping):
        raise bad_request("the body of the request is not a Scale object")
    replicas = at(scale, "spec.replicas")
    if replicas is None:
        replicas = 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(f"spec.replicas: {replicas!r} is not a number")
    new: dict[str, Any] = copied(manifest)
    version = at(scale, "metadata.resourceVersion")
    if version:
        new["metadata"]["resourceVersion"] = version
    put(new, _paths(kind).spec_replicas, replicas)
    return new


def applied_scale(kind: Kind, scale: Any) -> dict[str, Any]:
    """Return what an applied ``scale`` says as a configuration of ``kind``.

    500 for a custom resource, whose scale Kubernetes can not apply either.
    """
    if kind.custom is not None:
        text = (
            "failed to convert new object (autoscaling/v1, Kind=Scale) to proper version: "
            "request to convert CR to an invalid group/version: autoscaling/v1"
        )
        raise ApiError(500, "", text)
    if not isinstance(scale, Mapping) or not (scale.get("apiVersion") and scale.get("kind")):
        raise bad_request("an applied configuration must have apiVersion and kind")
    config: dict[str, Any] = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": copied(scale.get("metadata") or {}),
    }
    put(config, _paths(kind).spec_replicas, at(scale, "spec.replicas") or 0)
    return config


def _paths(kind: Kind) -> ScalePaths:
    assert kind.scale is not None, "the path was matched against kind.serves()"
    return kind.scale
