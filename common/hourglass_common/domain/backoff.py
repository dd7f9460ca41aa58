"""How long to wait before trying again: exponential, capped, with jitter. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays in seconds: ``minimum`` first, doubled each time up to ``maximum``.

    ``jitter`` is the largest fraction by which a delay is shortened.
    """

    minimum: float
    maximum: float
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.minimum <= self.maximum:
            raise ValueError(
                f"backoff needs 0 < minimum <= maximum, not {self.minimum}, {self.maximum}"
            )
        if not 0 <= self.jitter < 1:
            raise ValueError(f"backoff needs 0 <= jitter < 1, not {self.jitter}")

    def delay(self, attempt: int, u: float) -> float:
        """Return the wait before retry ``attempt`` (1 is the first); ``u`` is random in [0, 1)."""
        full = min(self.maximum, self.minimum * 2.0 ** min(max(attempt, 1) - 1, 63))
        return full * (1.0 - self.jitter * u)
