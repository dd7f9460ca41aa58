"""A retry budget: extra attempts are a fraction of the first ones. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """For tasks that may run twice, and for attempts that surely did not run.

    ``ratio`` retries per first attempt on average, ``floor`` of them at once without history.
    """

    attempts: int = 3
    ratio: float = 0.2
    floor: float = 3.0
    ceiling: float = 100.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.ratio < 0 or not 0 <= self.floor <= self.ceiling:
            raise ValueError("retry needs attempts >= 1, ratio >= 0 and 0 <= floor <= ceiling")


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Retries that may be made now: whole ``tokens``."""

    tokens: float

    @classmethod
    def full(cls, policy: RetryPolicy) -> "RetryBudget":
        return cls(policy.floor)

    def first_attempt(self, policy: RetryPolicy) -> "RetryBudget":
        """Return the budget after one more first attempt."""
        return RetryBudget(min(policy.ceiling, self.tokens + policy.ratio))

    def retry(self) -> "RetryBudget | None":
        """Return the budget after one more retry, or None when there is nothing left."""
        return RetryBudget(self.tokens - 1.0) if self.tokens >= 1.0 else None
