"""Everything that a plan may look at, gathered before planning starts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.performer import Performer
from hourglass_common.kube.objects import EndpointAddress

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the operator's own settings say where a performer says nothing."""

    security_profile: str = "Restricted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One performer and what stands in its namespace under its names and labels.

    ``revision`` is the hash of its spec. ``replica_sets`` and ``pods`` are those that the
    performer controls; ``staged_endpoints`` are behind the staged Service; ``foreign`` are objects
    of somebody else under one of its names. ``now`` is the time of day; ``status_age`` the seconds
    since this process last wrote the status.
    """

    performer: Performer
    revision: str
    replica_sets: tuple[Manifest, ...] = ()
    pods: tuple[Manifest, ...] = ()
    service: Manifest | None = None
    staged_service: Manifest | None = None
    network_policy: Manifest | None = None
    disruption_budget: Manifest | None = None
    staged_endpoints: tuple[EndpointAddress, ...] = ()
    foreign: tuple[Manifest, ...] = ()
    reports: tuple[DrainReport, ...] = ()
    defaults: Defaults = field(default_factory=Defaults)
    now: datetime
    status_age: float = float("inf")
