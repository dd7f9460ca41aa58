"""The part of the configuration that is about which instance gets a task, and when again."""

from typing import Annotated, Any

from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.errors import Code
from pydantic import BeforeValidator, Field, field_validator, model_validator

from .dispatch.policy import DispatchPolicy
from .duration import Duration, seconds
from .routing.breaker import BreakerPolicy
from .routing.health import HealthPolicy
from .routing.hedging import HedgePolicy
from .routing.policy import CALLER_FAULTS, DEFAULT_TRIPS, NOTHING_LEARNED, RouterPolicy
from .routing.retry_budget import RetryPolicy
from .settings_sections import Section

_NEVER_TRIP = {code.value for code in CALLER_FAULTS | NOTHING_LEARNED}
_MAY_TRIP = sorted({code.value for code in Code} - _NEVER_TRIP)


def _in_order(minimum: float, maximum: float) -> None:
    if minimum > maximum:
        raise ValueError(f"backoffMin {minimum:g} s is more than backoffMax {maximum:g} s")


class BreakerSection(Section):
    """What takes an instance out of rotation: ``failures`` in a row, or ``failureShare`` of its
    last ``window`` calls. It gets one task as a probe after ``backoffMin``, each time later up to
    ``backoffMax``. ``statuses`` are the gRPC codes that count; those by which a performer refuses
    a request never do."""

    failures: int = Field(default=5, ge=1)
    failure_share: float = Field(default=0.5, gt=0, le=1)
    window: int = Field(default=20, ge=1, le=1000)
    backoff_min: Duration = 1.0
    backoff_max: Duration = 60.0
    statuses: tuple[str, ...] = tuple(sorted(code.value for code in DEFAULT_TRIPS))

    @field_validator("statuses")
    @classmethod
    def _may_trip(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one in _NEVER_TRIP:
                raise ValueError(f"{one} can not trip a breaker: it is no fault of the performer")
            if one not in _MAY_TRIP:
                raise ValueError(f"{one} is no status: use some of {', '.join(_MAY_TRIP)}")
        return value

    @model_validator(mode="after")
    def _grows(self) -> "BreakerSection":
        _in_order(self.backoff_min, self.backoff_max)
        return self


class EjectionSection(Section):
    """An instance that falls out of rotation ``flaps`` times within ``window``, by its health or
    its connection, is treated as one whose breaker has opened."""

    flaps: int = Field(default=3, ge=1)
    window: Duration = 10.0


class HealthSection(Section):
    """Where an instance has no Watch, and to see that one lives: a Check every ``period``, given
    up after ``timeout``; ``misses`` in a row and it gets no task."""

    period: Duration = 5.0
    timeout: Duration = 1.0
    misses: int = Field(default=3, ge=1)


class RetrySection(Section):
    """Of attempts that surely did not run, and of all for an AVS with ``idempotent: true``:
    ``attempts`` in all for a task, after ``backoffMin``, each time later up to ``backoffMax``.
    ``budget`` is how many more calls there may be for each task on average, hedging included, and
    ``atOnce`` how many without such a past."""

    attempts: int = Field(default=3, ge=1, le=10)
    budget: float = Field(default=0.2, ge=0, le=1)
    at_once: int = Field(default=3, ge=0, le=100)
    backoff_min: Duration = 0.1
    backoff_max: Duration = 2.0

    @model_validator(mode="after")
    def _grows(self) -> "RetrySection":
        _in_order(self.backoff_min, self.backoff_max)
        return self


class HedgingSection(Section):
    """A second attempt at another instance while the first one is out, for AVSs with
    ``idempotent: true`` alone: after ``delay``, or after the ``percentile`` of the AVS's recent
    latencies; none without either. The first answer counts and the other call is cancelled."""

    delay: Annotated[float | None, BeforeValidator(seconds)] = None
    percentile: int | None = Field(default=None, ge=1, le=99)

    @model_validator(mode="after")
    def _said_once(self) -> "HedgingSection":
        if self.delay is not None and self.percentile is not None:
            raise ValueError("give delay or percentile, not both")
        return self

    @property
    def is_on(self) -> bool:
        return self.delay is not None or self.percentile is not None


class Routing(Section):
    """Ours: how tasks are given to instances. ``concurrencyPerInstance`` is how many an instance
    has at once, ``queueSize`` how many of an AVS wait. In ``avsPerformers[].routing`` each key
    that is given replaces the one of ``routing`` for that AVS; ``hedging`` as a whole."""

    concurrency_per_instance: int = Field(default=64, ge=1, le=100_000)
    queue_size: int = Field(default=1024, ge=0, le=1_000_000)
    breaker: BreakerSection = BreakerSection()
    ejection: EjectionSection = EjectionSection()
    health: HealthSection = HealthSection()
    retry: RetrySection = RetrySection()
    hedging: HedgingSection = HedgingSection()

    def over(self, defaults: "Routing") -> "Routing":
        """Return ``defaults`` with what is given here; ValueError where they do not go together."""
        merged: dict[str, Any] = defaults.model_dump(exclude_unset=True)
        for name, value in self.model_dump(exclude_unset=True).items():
            partly = isinstance(value, dict) and name != "hedging"
            merged[name] = {**merged.get(name, {}), **value} if partly else value
        return Routing.model_validate(merged)

    def policy(self) -> DispatchPolicy:
        breaker, retry = self.breaker, self.retry
        return DispatchPolicy(
            router=RouterPolicy(
                breaker=BreakerPolicy(
                    trip_after=breaker.failures,
                    failure_share=breaker.failure_share,
                    window=breaker.window,
                    backoff=Backoff(minimum=breaker.backoff_min, maximum=breaker.backoff_max),
                ),
                concurrency=self.concurrency_per_instance,
                queue=self.queue_size,
                trips=frozenset(Code(one) for one in breaker.statuses),
                flaps=self.ejection.flaps,
                flap_window=self.ejection.window,
            ),
            health=HealthPolicy(
                check_period=self.health.period,
                check_timeout=self.health.timeout,
                misses_allowed=self.health.misses,
            ),
            retry=RetryPolicy(
                attempts=retry.attempts, ratio=retry.budget, floor=float(retry.at_once)
            ),
            retry_backoff=Backoff(minimum=retry.backoff_min, maximum=retry.backoff_max),
            hedge=HedgePolicy(delay=self.hedging.delay, percentile=self.hedging.percentile),
        )
