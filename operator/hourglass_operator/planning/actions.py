"""What a plan may ask for. Pure values; ``runtime.apply`` performs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Manifest = Mapping[str, Any]

Kind = Literal["ReplicaSet", "Service", "NetworkPolicy", "PodDisruptionBudget", "Pod"]


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object that is not there yet. Its name is fixed, so that it can not be made twice."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge-patch an object, over the version that the plan saw; ``because`` goes to the log.

    Not an apply: one of part of an object removes the rest, and one over a Service whose port
    was edited by hand is refused, since ports are merged by number and names must be unique.
    """

    kind: Kind
    name: str
    uid: str
    resource_version: str
    change: Manifest
    because: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete exactly the object that the plan saw."""

    kind: Kind
    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the performer's status."""

    status: Manifest


@dataclass(frozen=True, slots=True)
class RestoreReplicas:
    """Write into the spec, by its scale subresource, the number that was last asked for."""

    replicas: int


@dataclass(frozen=True, slots=True)
class RunGate:
    """Give the smoke task to every staged instance, and note on the ReplicaSet how it ended.

    ``addresses`` are host:port; ``digest`` names the gate's configuration, ``tries`` counts the
    attempts before this one.
    """

    name: str
    uid: str
    resource_version: str
    addresses: tuple[str, ...]
    payload: bytes
    expected: bytes
    timeout_seconds: int
    digest: str
    tries: int


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the user by a Kubernetes Event."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = Create | Patch | Delete | WriteStatus | RestoreReplicas | RunGate | Report


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order in which they are to be done; look again after ``requeue_after`` s.

    Creations do not depend on one another: they may be made at the same time.
    """

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
