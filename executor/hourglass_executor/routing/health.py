"""Health of one endpoint, fed by the answers of grpc.health.v1. Pure.

Watch tells changes at once; Check, every few seconds, finds the process that no longer answers.

    no answer yet                   -> UNKNOWN, not usable
    SERVING / NOT_SERVING           -> that, at once
    ``misses_allowed`` Checks lost  -> UNHEALTHY, until one is answered or a call succeeds
    Watch UNIMPLEMENTED             -> Check alone
    Check UNIMPLEMENTED             -> no health service: usable, source NONE
    SERVICE_UNKNOWN for a name      -> the same question for "", the server as a whole
    connection lost                 -> all is forgotten: another process may come back
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from hourglass_common.domain.health import HealthAnswer, HealthSource


class HealthStatus(Enum):
    UNKNOWN = "Unknown"
    SERVING = "Serving"
    NOT_SERVING = "NotServing"
    UNHEALTHY = "Unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """Seconds, and the name asked for ("" is the server as a whole)."""

    service: str = ""
    check_period: float = 5.0
    check_timeout: float = 1.0
    misses_allowed: int = 3

    def __post_init__(self) -> None:
        if self.check_period <= 0 or self.check_timeout <= 0 or self.misses_allowed < 1:
            raise ValueError("health needs check_period, check_timeout and misses_allowed above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of one endpoint; ``service`` is the name to ask for next."""

    service: str = ""
    source: HealthSource = HealthSource.WATCH
    answer: HealthAnswer | None = None
    misses: int = 0
    unhealthy: bool = False
    watched: bool = False  # a Watch stream is open and has spoken: Check only proves life

    @property
    def status(self) -> HealthStatus:
        if self.unhealthy:
            return HealthStatus.UNHEALTHY
        match self.answer:
            case None:
                return HealthStatus.UNKNOWN
            case HealthAnswer.SERVING:
                return HealthStatus.SERVING
            case _:
                return HealthStatus.NOT_SERVING

    @property
    def usable(self) -> bool:
        return self.status is HealthStatus.SERVING


def unasked(policy: HealthPolicy) -> Health:
    """Return the health of an endpoint just connected."""
    return Health(service=policy.service)


def on_watch(health: Health, answer: HealthAnswer) -> Health:
    """Return the health after Watch brought ``answer``; NONE is a stream that broke."""
    match answer:
        case HealthAnswer.SERVING | HealthAnswer.NOT_SERVING:
            # Sent when it changed, not now: it proves no life, so misses stand.
            return replace(health, answer=answer, source=HealthSource.WATCH, watched=True)
        case HealthAnswer.SERVICE_UNKNOWN:
            return _other_name(health, HealthSource.WATCH)
        case HealthAnswer.UNIMPLEMENTED:
            if health.source is HealthSource.NONE:
                return health
            return replace(health, source=HealthSource.CHECK)
        case HealthAnswer.NONE:
            return replace(health, watched=False)
        case _:
            assert_never(answer)


def on_check(health: Health, answer: HealthAnswer, policy: HealthPolicy) -> Health:
    """Return the health after one Check; NONE is a miss."""
    match answer:
        case HealthAnswer.SERVING | HealthAnswer.NOT_SERVING:
            known = health.answer if health.watched else answer
            return replace(health, answer=known, misses=0, unhealthy=False)
        case HealthAnswer.SERVICE_UNKNOWN:
            return replace(_other_name(health, health.source), misses=0, unhealthy=False)
        case HealthAnswer.UNIMPLEMENTED:
            return Health(
                service=health.service, source=HealthSource.NONE, answer=HealthAnswer.SERVING
            )
        case HealthAnswer.NONE:
            misses = health.misses + 1
            lost = health.unhealthy or misses >= policy.misses_allowed
            return replace(health, misses=misses, unhealthy=lost)
        case _:
            assert_never(answer)


def on_call_succeeded(health: Health) -> Health:
    """Return the health after a task was answered: the process lives, whatever it reports."""
    if health.misses == 0 and not health.unhealthy:
        return health
    return replace(health, misses=0, unhealthy=False)


def next_check_at(
    health: Health, *, asked_at: float, call_succeeded_at: float, policy: HealthPolicy
) -> float:
    """Return when to Check next, on the clock of its arguments; infinity for never.

    A call that succeeded is as good as a Check, but only where Watch tells the rest.
    """
    if health.source is HealthSource.NONE:
        return float("inf")
    if health.source is HealthSource.CHECK:
        if health.answer is None and health.misses == 0:
            return asked_at  # nothing else will tell
        return asked_at + policy.check_period
    return max(asked_at, call_succeeded_at) + policy.check_period


def _other_name(health: Health, source: HealthSource) -> Health:
    if health.service != "":
        return replace(health, service="", source=source)
    return replace(health, answer=HealthAnswer.SERVICE_UNKNOWN, source=source)
