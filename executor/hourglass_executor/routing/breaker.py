"""Circuit breaker for one endpoint, as a pure state machine.

Time enters only as the ``now`` argument and chance as ``u``; nothing here sleeps or locks.

    Closed   --(trip_after failures in a row)--> Open
    Closed   --(too many of the last calls)----> Open
    Closed   --(flaps, see ``trip``)-----------> Open
    Open     --(retry_at reached)--------------> HalfOpen, one probe admitted
    Open     --(another process answers)-------> HalfOpen at once (``recall``)
    HalfOpen --(probe succeeded)---------------> Closed
    HalfOpen --(probe failed)------------------> Open, for longer
    HalfOpen --(probe said nothing, or lost)---> HalfOpen, another probe admitted
    any      --(it is the last usable one)-----> Closed (``reinstate``)

What trips again within ``backoff.maximum`` of closing stays open for longer than the last time,
so that one that fails every other call can not come back for half of its calls.

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
    """``trip_after`` failures in a row open it, for ``backoff`` seconds, longer each time.

    So do ``failure_share`` of the last ``window`` calls, those not made yet taken for good ones.
    """

    trip_after: int = 5
    failure_share: float = 0.5
    window: int = 20
    backoff: Backoff = field(default_factory=lambda: Backoff(minimum=1.0, maximum=60.0))
    probe_timeout: float = 360.0  # seconds until a probe without a result counts as lost

    def __post_init__(self) -> None:
        if self.trip_after < 1 or self.probe_timeout <= 0:
            raise ValueError("breaker needs trip_after >= 1 and probe_timeout > 0")
        if not 0 < self.failure_share <= 1 or self.window < 1:
            raise ValueError("breaker needs 0 < failure_share <= 1 and window >= 1")


@dataclass(frozen=True, slots=True)
class Closed:
    """``failures`` in a row; ``recent`` has a bit for each of the last calls, set where it failed.

    ``trips`` is how often it opened before, ``since`` when it closed again.
    """

    epoch: int = 0
    failures: int = 0
    recent: int = 0
    trips: int = 0
    since: float = float("-inf")


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
        case Closed(failures=failures, recent=recent):
            if verdict is Verdict.NEUTRAL:
                return state
            kept = (1 << policy.window) - 1
            if verdict is Verdict.SUCCESS:
                return replace(state, failures=0, recent=recent << 1 & kept) if recent else state
            recent = (recent << 1 | 1) & kept
            too_many = recent.bit_count() >= policy.failure_share * policy.window
            if failures + 1 >= policy.trip_after or too_many:
                return trip(state, now=now, u=u, policy=policy)
            return replace(state, failures=failures + 1, recent=recent)
        case HalfOpen(epoch=epoch, trips=trips):
            if verdict is Verdict.NEUTRAL:
                return replace(state, probe_lost_at=now)
            if verdict is Verdict.SUCCESS:
                return Closed(epoch + 1, trips=trips, since=now)
            return Open(epoch + 1, trips + 1, now + policy.backoff.delay(trips + 1, u))
        case Open():  # no permit is ever issued in an Open epoch
            return state
        case _:
            assert_never(state)


def trip(state: BreakerState, *, now: float, u: float, policy: BreakerPolicy) -> BreakerState:
    """Return the state of a closed one that is opened, whatever its calls say; others stay."""
    if not isinstance(state, Closed):
        return state
    lately = now - state.since < policy.backoff.maximum
    trips = state.trips + 1 if lately else 1
    return Open(state.epoch + 1, trips, now + policy.backoff.delay(trips, u))


def recall(state: BreakerState, *, now: float) -> BreakerState:
    """Return the state of an endpoint behind which another process has come up: an open one
    admits its probe now."""
    return replace(state, retry_at=min(state.retry_at, now)) if isinstance(state, Open) else state


def reinstate(state: BreakerState) -> BreakerState:
    """Return the state of the last usable endpoint: closed, with its count begun anew."""
    return state if isinstance(state, Closed) else Closed(state.epoch + 1)
