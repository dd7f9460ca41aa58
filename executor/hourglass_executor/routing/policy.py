"""How the router decides: every number that may be configured."""

from dataclasses import dataclass, field
from enum import Enum

from hourglass_common.domain.errors import Code

from .breaker import BreakerPolicy, Verdict


class WhenNoneReady(Enum):
    QUEUE = "Queue"
    FAIL = "Fail"


CALLER_FAULTS = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.PERMISSION_DENIED,
        Code.NOT_FOUND,
        Code.ALREADY_EXISTS,
        Code.FAILED_PRECONDITION,
        Code.OUT_OF_RANGE,
        Code.UNAUTHENTICATED,
    }
)
"""Answers about the request: the performer that gives one is alive."""

NOTHING_LEARNED = frozenset({Code.CANCELLED, Code.RESOURCE_EXHAUSTED, Code.ABORTED})
"""Ends that say nothing about the performer's health."""

DEFAULT_TRIPS = frozenset(
    {
        Code.UNAVAILABLE,
        Code.DEADLINE_EXCEEDED,
        Code.INTERNAL,
        Code.UNKNOWN,
        Code.DATA_LOSS,
        # The executor chooses the method, so no caller can provoke this one; an instance that
        # refuses every task at once would otherwise draw all of them by being least loaded.
        Code.UNIMPLEMENTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPolicy:
    """``concurrency`` calls per instance, ``queue`` waiting tasks per AVS; times in seconds.

    One that falls out of rotation ``flaps`` times within ``flap_window`` is ejected.
    """

    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    concurrency: int = 64
    queue: int = 1024
    when_none_ready: WhenNoneReady = WhenNoneReady.QUEUE
    trips: frozenset[Code] = DEFAULT_TRIPS
    flaps: int = 3
    flap_window: float = 10.0
    latency_half_life: float = 10.0
    retry_after_min: float = 0.1
    retry_after_max: float = 30.0

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.queue < 0:
            raise ValueError("router needs concurrency >= 1 and queue >= 0")
        if self.flaps < 1 or self.flap_window <= 0:
            raise ValueError("router needs flaps >= 1 and flap_window > 0")
        never = self.trips & (CALLER_FAULTS | NOTHING_LEARNED)
        if never:
            names = ", ".join(sorted(code.value for code in never))
            raise ValueError(f"{names} can not trip a breaker: it is no fault of the performer")

    def verdict(self, code: Code | None) -> Verdict:
        """Return what the end of a call says about its endpoint; None is an answered task."""
        if code is None or code in CALLER_FAULTS:
            return Verdict.SUCCESS
        return Verdict.FAILURE if code in self.trips else Verdict.NEUTRAL
