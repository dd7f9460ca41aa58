"""What PerformerControl does, without a word of gRPC: implemented by the operator.

Objects are Performer manifests as the Kubernetes API has them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.endpoint import Endpoint, Role

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PerformerView:
    """A Performer object and the instances that have an address."""

    manifest: Manifest
    endpoints: tuple[Endpoint, ...] = ()
    encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """What a codec has made of it, once it has: no part of it."""

    def keep_encoded(self, data: bytes) -> None:
        object.__setattr__(self, "encoded", data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What to create; ``request_id`` "" means no idempotency."""

    namespace: str
    name: str
    spec: Manifest
    labels: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    validate_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What every change of one performer may say beside the change itself.

    ``etag`` "" means any version, ``request_id`` "" no idempotency.
    """

    namespace: str
    name: str
    etag: str = ""
    request_id: str = ""
    validate_only: bool = False


class Act(Enum):
    """The changes that say no more than their name, and for the first three a revision."""

    PROMOTE = "Promote"
    ABORT = "Abort"
    ROLLBACK = "Rollback"
    FENCE = "Fence"
    UNFENCE = "Unfence"
    SUSPEND = "Suspend"
    RESUME = "Resume"


Path = tuple[str, ...]
"""A field of a Performer's manifest, such as ``("spec", "config", "environment", "A")``."""


@dataclass(frozen=True, slots=True)
class Masked:
    """The fields at ``paths`` are to be as in ``manifest``, or gone where it has none."""

    manifest: Manifest
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Drained:
    """How a drain ended: a number, or ``unknown``."""

    performer: PerformerView
    in_flight: str
    lost: str


class StepState(Enum):
    PASSED = "PASSED"
    BLOCKED = "BLOCKED"
    WAITING = "WAITING"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Step:
    """One of the things that must be true for a performer to serve."""

    name: str
    state: StepState
    reason: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class InstanceSteps:
    instance: str
    revision: str
    role: Role
    serving: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    serving: bool
    summary: str
    revision: str
    steps: tuple[Step, ...]
    instances: tuple[InstanceSteps, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """One revision that is kept; times are RFC 3339, "" where there is none."""

    hash: str
    role: Role
    image: str = ""
    replicas: int = 0
    ready_replicas: int = 0
    created: str = ""
    in_service_since: str = ""
    promoted_by: str = ""
    rejected: str = ""
    rejected_by: str = ""
    gate: str = ""
    replica_set: str = ""
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Whose output is wanted: "" means any; ``since_seconds`` counts back from now."""

    namespace: str
    name: str
    revision: str = ""
    instance: str = ""
    follow: bool = False
    tail_lines: int | None = None
    since_seconds: float | None = None
    previous: bool = False


@dataclass(frozen=True, slots=True)
class LogLine:
    """``time`` is RFC 3339 with nanoseconds, as the kubelet took it."""

    instance: str
    revision: str
    time: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which performers are meant: "" means any; ``avs`` is compared in lower case."""

    namespace: str = ""
    name: str = ""
    avs: str = ""

    def matches(self, manifest: Manifest) -> bool:
        meta = manifest["metadata"]
        if self.namespace and meta.get("namespace", "") != self.namespace:
            return False
        if self.name and meta["name"] != self.name:
            return False
        address = str((manifest.get("spec") or {}).get("avsAddress", ""))
        return not self.avs or address.lower() == self.avs.lower()


class EventKind(Enum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    SNAPSHOT_DONE = "SNAPSHOT_DONE"
    RESYNC = "RESYNC"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One answer of a watch; ``performer`` is None for the markers.

    ``resume_token`` is "" inside a snapshot and between changes that were made, or are caught up
    with, at once: one given earlier holds. After resuming, ADDED and MODIFIED both mean "is so
    now".
    """

    kind: EventKind
    performer: PerformerView | None
    resume_token: str


@dataclass(frozen=True, slots=True)
class PerformerPage:
    performers: tuple[PerformerView, ...]
    next_page_token: str


class PerformerControlPort(Protocol):
    """Each method may raise UNAVAILABLE (the API is away), PERMISSION_DENIED, UNAUTHENTICATED.

    Those that change one performer raise NOT_FOUND if there is none, ABORTED if ``etag`` is set
    and another, ALREADY_EXISTS if ``request_id`` was used for other content, and answer with the
    performer as the change left it, once a read of this replica shows it too.
    """

    async def create(self, creation: Creation) -> PerformerView:
        """ALREADY_EXISTS if the name is taken; INVALID_ARGUMENT with the bad fields;
        NOT_FOUND if there is no such namespace."""
        ...

    async def get(self, namespace: str, name: str) -> PerformerView:
        """NOT_FOUND if there is none."""
        ...

    async def list(
        self, wanted: Filter, page_size: int, page_token: str, expression: str = ""
    ) -> PerformerPage:
        """By namespace and name; ``expression`` is a filter as in AIP-160. INVALID_ARGUMENT for
        one that can not be read, and for a token that was not given out here for this filter."""
        ...

    async def update(self, aim: Aim, masked: Masked) -> PerformerView:
        """INVALID_ARGUMENT with the bad fields."""
        ...

    async def scale(self, aim: Aim, replicas: int) -> PerformerView:
        """Asks for ``replicas`` instances."""
        ...

    async def act(self, act: Act, aim: Aim, revision: str = "") -> PerformerView:
        """FAILED_PRECONDITION with the operator's words if it refuses a decision."""
        ...

    async def drain(self, aim: Aim) -> Drained:
        """Fences, and returns once nothing is held any more or the spec's time limit is over."""
        ...

    async def delete(
        self,
        aim: Aim,
        uid: str = "",
        *,
        force: bool = False,
    ) -> None:
        """Drains first, unless by ``force``; ABORTED if ``uid`` is set and another."""
        ...

    async def explain(self, namespace: str, name: str, revision: str = "") -> Explanation:
        """NOT_FOUND if there is no such performer, or no such revision of it."""
        ...

    async def list_revisions(self, namespace: str, name: str) -> Sequence[RevisionView]:
        """Newest first."""
        ...

    def logs(self, query: LogQuery) -> AsyncIterator[LogLine]:
        """What the instances have written, and with ``follow`` what they write. NOT_FOUND if there
        is no such performer, or no such instance or revision of it."""
        ...

    async def report_drain(
        self,
        namespace: str,
        name: str,
        uid: str,
        executor: str,
        reports: Sequence[DrainReport],
    ) -> None:
        """FAILED_PRECONDITION if ``uid`` is set and another."""
        ...

    def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        """A snapshot and its end, or what changed since the token; then every change.

        A token that is too old, or not one, gives RESYNC, the deletions that are known and a
        snapshot instead; so does a reader who falls too far behind. What comes to match
        ``wanted`` is ADDED, what ceases to is DELETED. RESOURCE_EXHAUSTED if too many watches are
        open.
        """
        ...
