"""The router's own record of one endpoint. Mutable, seen by the router alone."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.health import HealthSource
from hourglass_common.domain.task import Addressee

from . import roles
from .balance import Latency
from .breaker import BreakerState, Closed, HalfOpen, Open, due_at, recall, trip
from .drain import InstanceLoad
from .events import EndpointKey, Permit
from .health import Health, HealthStatus
from .policy import RouterPolicy
from .skip import SkipReason


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """One endpoint as operators see it; ``skipped`` says why it takes no task now.

    Of the calls ``sent`` since it was connected first, ``answered`` brought a result, ``failed``
    surely brought none, ``lost`` ended with nobody knowing, and the others are in flight.
    """

    avs: str
    performer_id: str
    revision: str
    instance: str
    address: str
    role: Role
    connected: bool
    health: HealthStatus
    health_source: HealthSource
    breaker: str  # "Closed", "Open" or "HalfOpen"
    breaker_open_seconds: float  # until it is tried again; 0 where it is not open
    in_flight: int
    latency_seconds: float
    sent: int
    answered: int
    failed: int
    lost: int
    skipped: SkipReason | None
    breaker_due_at: float | None = None  # when it lets a task through again; None while closed
    connection: str = ""  # gRPC's word for the state of its channel
    last_health_check: datetime | None = None
    ready: bool = True


@dataclass(slots=True, eq=False)
class Slot:
    """``closed_to_tasks`` is the reason that holds until the next event, None for a usable one."""

    endpoint: Endpoint
    key: EndpointKey
    avs: str
    policy: RouterPolicy
    health: Health = field(default_factory=Health)
    connected: bool = False
    draining: bool = False
    leaving: bool = False
    breaker: BreakerState = field(default_factory=Closed)
    latency: Latency = field(default_factory=Latency)
    fell_out_at: tuple[float, ...] = ()
    permits: dict[int, Permit] = field(default_factory=dict[int, Permit])
    sent: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    closed_to_tasks: SkipReason | None = SkipReason.NOT_CONNECTED

    def count(self, code: Code | None, lost: bool) -> None:
        """Take the end of a call into the counts; ``code`` is None for an answered one."""
        if lost:
            self.lost += 1
        elif code is None:
            self.answered += 1
        else:
            self.failed += 1

    def observe(
        self, *, now: float, u: float, connected: bool | None = None, health: Health | None = None
    ) -> None:
        """Take in what was seen; one that falls out again and again is ejected."""
        in_rotation = self.closed_to_tasks is None
        if connected is not None:
            self.connected = connected
        if health is not None:
            self.health = health
        self.refresh()
        policy = self.policy
        lately = [at for at in self.fell_out_at if now - at < policy.flap_window]
        if in_rotation and self.closed_to_tasks is not None:
            lately.append(now)
            if len(lately) >= policy.flaps:
                self.breaker = trip(self.breaker, now=now, u=u, policy=policy.breaker)
        elif connected and len(lately) < policy.flaps:
            self.breaker = recall(self.breaker, now=now)
        self.fell_out_at = tuple(lately[-policy.flaps :])

    def refresh(self) -> None:
        """Work out ``closed_to_tasks`` again, after any change but one of the breaker."""
        self.closed_to_tasks = self._reason()

    def closed_to(self, addressee: Addressee) -> SkipReason | None:
        """Return as ``closed_to_tasks`` for a task with an addressee."""
        if addressee.instance not in ("", self.endpoint.instance):
            return SkipReason.NOT_ADDRESSED
        if self.endpoint.role is Role.IN_SERVICE and addressee.role is not Role.IN_SERVICE:
            return SkipReason.NOT_ADDRESSED
        return self._reason(addressee.role)

    def _reason(self, wanted: Role = Role.IN_SERVICE) -> SkipReason | None:
        if self.draining or self.leaving:
            return SkipReason.DRAINING
        role = self.endpoint.role
        if role is not wanted and (refusal := roles.refuses(role)) is not None:
            return refusal
        if not self.endpoint.ready:
            return SkipReason.NOT_READY
        if not self.connected:
            return SkipReason.NOT_CONNECTED
        match self.health.status:
            case HealthStatus.SERVING:
                return None
            case HealthStatus.UNKNOWN:
                return SkipReason.HEALTH_UNKNOWN
            case HealthStatus.NOT_SERVING:
                return SkipReason.NOT_SERVING
            case HealthStatus.UNHEALTHY:
                return SkipReason.UNHEALTHY
            case status:
                assert_never(status)

    def skipped(self, now: float) -> SkipReason | None:
        """Return why this endpoint takes no task at ``now``; None where it would."""
        closed = self.closed_to_tasks
        return skip_reason(closed, self.breaker, len(self.permits), now, self.policy.concurrency)

    @property
    def role(self) -> Role:
        """The part that it plays: one that left its set only finishes what it holds."""
        return Role.DRAINING if self.leaving else self.endpoint.role

    def load(self) -> InstanceLoad:
        return InstanceLoad(
            instance=self.endpoint.instance,
            in_flight=len(self.permits),
            latest_deadline=max((p.deadline for p in self.permits.values()), default=None),
            in_service=self.role is Role.IN_SERVICE and not self.draining,
        )

    def view(self, now: float) -> EndpointView:
        open_seconds = 0.0
        match self.breaker:
            case Closed():
                breaker = "Closed"
            case Open(retry_at=retry_at):
                breaker = "Open"
                open_seconds = max(0.0, retry_at - now)
            case HalfOpen():
                breaker = "HalfOpen"
        return EndpointView(
            avs=self.avs,
            performer_id=self.endpoint.performer_id,
            revision=self.endpoint.revision,
            instance=self.endpoint.instance,
            address=self.endpoint.address,
            role=self.role,
            connected=self.connected,
            health=self.health.status,
            health_source=self.health.source,
            breaker=breaker,
            breaker_open_seconds=open_seconds,
            in_flight=len(self.permits),
            latency_seconds=self.latency.seconds,
            sent=self.sent,
            answered=self.answered,
            failed=self.failed,
            lost=self.lost,
            skipped=self.skipped(now),
            ready=self.endpoint.ready,
            breaker_due_at=None if breaker == "Closed" else due_at(self.breaker),
        )


def skip_reason(
    closed: SkipReason | None,
    breaker: BreakerState,
    in_flight: int,
    now: float,
    concurrency: int,
) -> SkipReason | None:
    """Return why an endpoint takes no task at ``now``, ``closed`` being what holds for longer."""
    if closed is not None:
        return closed
    if now < due_at(breaker):
        return SkipReason.BREAKER_OPEN if isinstance(breaker, Open) else SkipReason.PROBE_IN_FLIGHT
    return SkipReason.AT_CAPACITY if in_flight >= concurrency else None
