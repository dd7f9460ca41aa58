"""What a plan may ask for. Pure values; ``runtime.apply`` performs them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Manifest = Mapping[str, Any]


Kind = Literal["ReplicaSet", "Service"]


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of an object that is not there yet, with all that we own of it."""

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
class Report:
    """Tell the user by a Kubernetes Event."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = Apply | Patch | Delete | WriteStatus | Report


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order in which they are to be done; look again after ``requeue_after`` s."""

    actions: tuple[Action, ...] = ()
    requeue_after: float | None = None
