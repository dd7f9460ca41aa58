"""Everything that a plan may look at, gathered before planning starts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hourglass_common.domain.performer import Performer

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One performer and what stands in its namespace under its names and labels.

    ``replica_sets`` and ``pods`` are those that the performer controls; ``foreign`` are objects
    of somebody else under one of its names. ``now`` is the time of day.
    """

    performer: Performer
    replica_sets: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    service: Manifest | None = None
    foreign: tuple[Manifest, ...] = ()
    now: datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet, read: how many instances it wants and has."""

    name: str
    hash: str
    uid: str
    resource_version: str
    created_at: str
    wanted: int
    existing: int
    ready: int
    failure: str = ""


def revision_of_replica_set(manifest: Manifest, label: str) -> Revision:
    """Return what a ReplicaSet says; counts that its controller has not caught up with are 0."""
    meta, spec = manifest["metadata"], manifest.get("spec") or {}
    status = manifest.get("status") or {}
    failure = next(
        (
            str(found.get("message", ""))
            for found in status.get("conditions") or ()
            if found.get("type") == "ReplicaFailure" and found.get("status") == "True"
        ),
        "",
    )
    return Revision(
        name=meta["name"],
        hash=(meta.get("labels") or {}).get(label, ""),
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        created_at=meta.get("creationTimestamp", ""),
        wanted=int(spec.get("replicas", 1)),
        existing=int(status.get("replicas", 0)),
        ready=int(status.get("readyReplicas", 0)),
        failure=failure,
    )
