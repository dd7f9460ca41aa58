"""Circuit breaker for one endpoint, as a pure state machine.

Time enters only as the ``now`` argument and chance as ``u``; nothing here sleeps or locks.

    Closed   --(trip_after failures in a row)--> Open
    Open     --(retry_at reached)--------------> HalfOpen, one probe admitted
    HalfOpen --(probe succeeded)---------------> Closed
    HalfOpen --(probe failed)------------------> Open, for longer
    HalfOpen --(probe said nothing, or lost)---> HalfOpen, another probe admitted
    any      --(it is the last usable one)-----> Closed (``reinstate``)

Every change of state starts a new epoch. A result counts only in the epoch that
admitted its call, so a straggler from before a trip can not pose as the probe.
"""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import assert_never

from hourglass_common.domain.backoff import Backoff


class Verdict(Enum):
    """What the end of a call says about its endpoint."""

    SUCCESS = "Success"
    FAILURE = "Failure"
    NEUTRAL = "Neutral"  # the call was cancelled or never made: nothing was learned


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """``trip_after`` failures in a row open it, for ``backoff`` seconds, longer each time."""

    trip_after: int = 5
    backoff: Backoff = field(default_factory=lambda: Backoff(minimum=1.0, maximum=60.0))
    probe_timeout: float = 360.0  # seconds until a probe without a result counts as lost

    def __post_init__(self) -> None:
        if self.trip_after < 1 or self.probe_timeout <= 0:
            raise ValueError("breaker needs trip_after >= 1 and probe_timeout > 0")


@dataclass(frozen=True, slots=True)
class Closed:
    epoch: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    epoch: int
    trips: int
    retry_at: float


@dataclass(frozen=True, slots=True)
class HalfOpen:
    epoch: int
    trips: int
    probe_lost_at: float


BreakerState = Closed | Open | HalfOpen


@dataclass(frozen=True, slots=True)
class BreakerPermit:
    """Leave to make one call, to be handed back to ``record`` with its verdict."""

    epoch: int


def admit(
    state: BreakerState, *, now: float, policy: BreakerPolicy
) -> tuple[BreakerState, BreakerPermit | None]:
    """Ask to make a call: the state after asking, and a permit if it may be made."""
    match state:
        case Closed(epoch=epoch):
            return state, BreakerPermit(epoch)
        case Open(epoch, trips, due) | HalfOpen(epoch, trips, due):
            if now < due:
                return state, None
            lost_at = now + policy.probe_timeout
            return HalfOpen(epoch + 1, trips, lost_at), BreakerPermit(epoch + 1)
        case _:
            assert_never(state)


def due_at(state: BreakerState) -> float:
    """Return the time from which ``admit`` grants a permit; minus infinity when closed."""
    match state:
        case Closed():
            return float("-inf")
        case Open(retry_at=due) | HalfOpen(probe_lost_at=due):
            return due
        case _:
            assert_never(state)


def record(
    state: BreakerState,
    permit: BreakerPermit,
    verdict: Verdict,
    *,
    now: float,
    u: float,
    policy: BreakerPolicy,
) -> BreakerState:
    """Return the state after a permitted call ended; ``u`` in [0, 1) jitters the backoff."""
    if permit.epoch != state.epoch:
        return state
    match state:
        case Closed(epoch=epoch, failures=failures):
            if verdict is Verdict.NEUTRAL:
                return state
            if verdict is Verdict.SUCCESS:
                return state if failures == 0 else Closed(epoch)
            if failures + 1 < policy.trip_after:
                return Closed(epoch, failures + 1)
            return Open(epoch + 1, 1, now + policy.backoff.delay(1, u))
        case HalfOpen(epoch=epoch, trips=trips):
            if verdict is Verdict.NEUTRAL:
                return replace(state, probe_lost_at=now)
            if verdict is Verdict.SUCCESS:
                return Closed(epoch + 1)
            return Open(epoch + 1, trips + 1, now + policy.backoff.delay(trips + 1, u))
        case Open():  # no permit is ever issued in an Open epoch
            return state
        case _:
            assert_never(state)


def reinstate(state: BreakerState) -> BreakerState:
    """Return the state of the last usable endpoint: closed, with its count begun anew."""
    return state if isinstance(state, Closed) else Closed(state.epoch + 1)
