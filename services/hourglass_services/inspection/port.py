"""What an executor tells of the instances it sends tasks to, without a word of gRPC."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.health import HealthSource

from hourglass_services.executor.port import AuthSignature

from .tasks import ExecutorTask, Explanation, Resolved, TapEvent, TaskPage, TaskState


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
    sent: int = 0
    answered: int = 0
    failed: int = 0
    breaker_until: datetime | None = None
    connection: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """All of them, which operator the executor works for, and how many tasks wait, by AVS."""

    operator_address: str
    endpoints: tuple[ExecutorEndpoint, ...]
    waiting: Mapping[str, int] = field(default_factory=dict[str, int])


class InspectionPort(Protocol):
    """ExecutorInspection; addresses and ids in any case, AVS "" for all. Each raises
    UNAUTHENTICATED where authentication is on and fails."""

    def list_endpoints(self, avs_address: str, auth: AuthSignature | None) -> Endpoints:
        """Return the endpoints as they are now."""
        ...

    async def get_task(
        self, task_id: str, *, content: bool, auth: AuthSignature | None
    ) -> ExecutorTask:
        """NOT_FOUND for an id that is not known, or not any more."""
        ...

    async def list_tasks(
        self,
        avs_address: str,
        states: Collection[TaskState],
        page_size: int,
        page_token: str,
        auth: AuthSignature | None,
    ) -> TaskPage:
        """Return a page, last accepted first."""
        ...

    async def resolve_task(
        self, task_id: str, said: Resolved, auth: AuthSignature | None
    ) -> ExecutorTask:
        """Close a task whose outcome is unknown. FAILED_PRECONDITION for any other one."""
        ...

    async def explain_task(self, task_id: str, auth: AuthSignature | None) -> Explanation:
        """NOT_FOUND where neither the store nor the memory of decisions knows it."""
        ...

    def explain_avs(self, avs_address: str, auth: AuthSignature | None) -> Explanation:
        """Return what would become of a task of this AVS now."""
        ...

    def tap(
        self, avs_address: str, sample_rate: float, auth: AuthSignature | None
    ) -> AsyncIterator[TapEvent]:
        """Yield what happens from now on. RESOURCE_EXHAUSTED where too many watch already."""
        ...
