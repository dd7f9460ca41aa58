"""What PerformerControl does, without a word of gRPC: implemented by the operator.

Objects are Performer manifests as the Kubernetes API has them.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from hourglass_common.domain.endpoint import Endpoint

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PerformerView:
    """A Performer object and the instances that have an address."""

    manifest: Manifest
    endpoints: tuple[Endpoint, ...] = ()


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

    ``resume_token`` is "" inside a snapshot and between changes that were made at once: one given
    earlier holds. After resuming, ADDED and MODIFIED both mean "is so now".
    """

    kind: EventKind
    performer: PerformerView | None
    resume_token: str


@dataclass(frozen=True, slots=True)
class PerformerPage:
    performers: tuple[PerformerView, ...]
    next_page_token: str


class PerformerControlPort(Protocol):
    """Each method may raise UNAVAILABLE (the API is away), PERMISSION_DENIED, UNAUTHENTICATED."""

    async def create(self, creation: Creation) -> PerformerView:
        """ALREADY_EXISTS if the name is taken; INVALID_ARGUMENT with the bad fields;
        NOT_FOUND if there is no such namespace."""
        ...

    async def get(self, namespace: str, name: str) -> PerformerView:
        """NOT_FOUND if there is none."""
        ...

    async def list(self, wanted: Filter, page_size: int, page_token: str) -> PerformerPage:
        """By namespace and name. INVALID_ARGUMENT for a token that was not given out here."""
        ...

    async def delete(self, namespace: str, name: str, etag: str, uid: str = "") -> None:
        """NOT_FOUND if there is none; ABORTED if ``etag`` or ``uid`` is set and another."""
        ...

    def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        """A snapshot and its end, or what changed since the token; then every change.

        A token that is too old, or not one, gives RESYNC and a snapshot instead; so does a reader
        who falls too far behind. What comes to match ``wanted`` is ADDED, what ceases to is
        DELETED. RESOURCE_EXHAUSTED if too many watches are open.
        """
        ...
