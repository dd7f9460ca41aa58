"""What an executor tells of the instances it sends tasks to, without a word of gRPC."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.health import HealthSource

from hourglass_services.executor.port import AuthSignature


class EndpointHealth(Enum):
    UNKNOWN = "Unknown"
    SERVING = "Serving"
    NOT_SERVING = "NotServing"
    UNHEALTHY = "Unhealthy"


class BreakerState(Enum):
    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorEndpoint:
    """One instance as an executor sees it now.

    ``performer_id`` is the executor's own name for the deployment; ``skipped`` says in one word
    why it takes no task now, "" where it would.
    """

    performer_id: str
    avs_address: str
    instance: str
    address: str
    revision: str
    role: Role
    connected: bool
    health: EndpointHealth
    health_source: HealthSource
    breaker: BreakerState
    in_flight: int
    skipped: str = ""
    latency_seconds: float = 0.0
    lost: int = 0
    last_health_check: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """All of them, and which operator the executor works for."""

    operator_address: str
    endpoints: tuple[ExecutorEndpoint, ...]


class InspectionPort(Protocol):
    """ExecutorInspection."""

    def list_endpoints(self, avs_address: str, auth: AuthSignature | None) -> Endpoints:
        """Return those of ``avs_address`` in any case, "" for all; UNAUTHENTICATED where
        authentication is on and fails."""
        ...
