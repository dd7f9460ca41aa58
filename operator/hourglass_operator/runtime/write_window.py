"""How many writes may be in flight: halved when the server says slow down, grown back. Pure.

A server that fails is asked by one write at a time, however many wait, and ever less often: it
is not burdened, and not later noticed to be back than by a few seconds. A fixed rate can be set
beside it; by default there is none.
"""

from dataclasses import dataclass

from hourglass_common.domain.backoff import Backoff

PROBES = Backoff(minimum=0.25, maximum=2.0, jitter=0.5)


@dataclass(slots=True)
class WriteWindow:
    """``allowed`` starts at ``maximum``; a quarter of a slot comes back with each good write.

    ``qps`` writes per second at most, 0 for no such limit; times are monotonic seconds.
    """

    maximum: int = 32
    allowed: float = 32.0
    in_flight: int = 0
    qps: float = 0.0
    paused_until: float = 0.0
    next_at: float = 0.0
    failures: int = 0

    @property
    def opens_at(self) -> float:
        """The time before which nothing may start, whatever is in flight."""
        return max(self.paused_until, self.next_at)

    def may_start(self, now: float) -> bool:
        allowed = 1 if self.failures else max(1, int(self.allowed))
        return now >= self.opens_at and self.in_flight < allowed

    def started(self, now: float) -> None:
        self.in_flight += 1
        if self.qps > 0:
            self.next_at = max(now, self.next_at) + 1.0 / self.qps

    def ended(self, *, answered: bool = True) -> None:
        """A write was answered, well or badly, by a server that works; or it was never sent."""
        self.in_flight -= 1
        if not answered:
            return
        self.failures = 0
        self.allowed = min(float(self.maximum), self.allowed + 0.25)

    def broken(self, now: float, u: float) -> None:
        """A write found no server, or one that fails; ``u`` is random in [0, 1)."""
        self.in_flight -= 1
        if now >= self.paused_until:  # those in flight together fail together, and count once
            self.failures += 1
            self.paused_until = now + PROBES.delay(self.failures, u)

    def throttled(self, now: float, retry_after: float) -> None:
        """A write was answered with 429."""
        self.in_flight -= 1
        self.allowed = max(1.0, self.allowed / 2)
        self.paused_until = max(self.paused_until, now + retry_after)
