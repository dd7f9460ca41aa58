"""How many writes may be in flight: halved when the server says slow down, grown back. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class WriteWindow:
    """``allowed`` starts at ``maximum``; a quarter of a slot comes back with each good write."""

    maximum: int = 32
    allowed: float = 32.0
    in_flight: int = 0
    paused_until: float = 0.0

    def may_start(self, now: float) -> bool:
        return now >= self.paused_until and self.in_flight < max(1, int(self.allowed))

    def started(self) -> None:
        self.in_flight += 1

    def ended(self) -> None:
        """A write was answered, well or badly, but not with 429."""
        self.in_flight -= 1
        self.allowed = min(float(self.maximum), self.allowed + 0.25)

    def throttled(self, now: float, retry_after: float) -> None:
        """A write was answered with 429."""
        self.in_flight -= 1
        self.allowed = max(1.0, self.allowed / 2)
        self.paused_until = max(self.paused_until, now + retry_after)
