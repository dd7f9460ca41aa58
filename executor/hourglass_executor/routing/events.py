"""What the router is told, and what it answers."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Addressee

from .breaker import BreakerPermit
from .health import Health

EndpointKey = tuple[str, str, str]
"""performer_id, instance, address: an instance that comes back elsewhere is another one."""

Ticket = int
"""The caller's own number for one attempt at one task; never used twice."""


def key_of(endpoint: Endpoint) -> EndpointKey:
    return (endpoint.performer_id, endpoint.instance, endpoint.address)


# -- events


@dataclass(frozen=True, slots=True)
class EndpointsChanged:
    """The full set of one performer, in place of the one before."""

    avs: str
    performer_id: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class PerformerRemoved:
    performer_id: str


@dataclass(frozen=True, slots=True)
class PerformerDrained:
    """Give this performer no more tasks, whatever its endpoints' roles."""

    performer_id: str


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    key: EndpointKey
    connected: bool


@dataclass(frozen=True, slots=True)
class HealthChanged:
    key: EndpointKey
    health: Health


@dataclass(frozen=True, slots=True)
class TaskArrived:
    """A task asks for an endpoint; those in ``avoid`` only where no other can take it.

    With an ``addressee`` it goes to such an endpoint at once, or is rejected: it never waits."""

    ticket: Ticket
    avs: str
    deadline: float
    avoid: AbstractSet[EndpointKey] = frozenset()
    task_id: str = ""
    addressee: Addressee | None = None


@dataclass(frozen=True, slots=True)
class HedgeWanted:
    """A second attempt at a task that is out: sent now to an endpoint not in ``avoid``, or not at
    all, since where tasks wait it would only make them wait longer."""

    ticket: Ticket
    avs: str
    deadline: float
    avoid: AbstractSet[EndpointKey]
    task_id: str = ""
    addressee: Addressee | None = None


@dataclass(frozen=True, slots=True)
class TaskWithdrawn:
    """A queued task is no longer wanted. One that was sent ends by ``CallEnded`` instead."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call to ``key``; handed back with ``CallEnded``, on every exit."""

    number: int
    key: EndpointKey
    breaker: BreakerPermit
    sent_at: float
    deadline: float
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """``code`` is None for an answered task; ``lost`` says that nobody knows whether it ran.

    ``excused``: the executor itself stood still meanwhile, so the code says nothing.
    """

    permit: Permit
    code: Code | None
    lost: bool = False
    excused: bool = False


@dataclass(frozen=True, slots=True)
class CallNotMade:
    """The permit was not used: the connection was gone, or the task withdrawn."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    TaskArrived
    | HedgeWanted
    | CallEnded
    | CallNotMade
    | TaskWithdrawn
    | Tick
    | HealthChanged
    | ConnectionChanged
    | EndpointsChanged
    | PerformerRemoved
    | PerformerDrained
)

# -- effects


@dataclass(frozen=True, slots=True)
class Send:
    ticket: Ticket
    permit: Permit
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Wait:
    """The task is queued: Send or Reject follows, at ``until`` the latest if ticks are given."""

    ticket: Ticket
    until: float


@dataclass(frozen=True, slots=True)
class Reject:
    """No performer has seen the task, and none will."""

    ticket: Ticket
    error: HourglassError


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a channel and watch its state and health."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the channel: no call is left on it."""

    key: EndpointKey


Effect = Send | Wait | Reject | Connect | Disconnect
