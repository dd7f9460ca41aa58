"""Whether the executor itself stood still: stopped, swapped out, or starved of its processor.

What ends then by its deadline says nothing about the performer that had it.
"""

BEAT = 0.25
_LIMIT = 1.0
_GRACE = 2.0


class Standstill:
    """Told every ``BEAT`` seconds; a gap of more than a second between two is a standstill."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._resumed_at = float("-inf")

    def beat(self, now: float) -> None:
        if now - self._last > _LIMIT:
            self._resumed_at = now
        self._last = now

    def excuses(self, sent_at: float, now: float) -> bool:
        """Whether a call sent at ``sent_at`` that ends at ``now`` was out during a standstill.

        The first two seconds after one count: what happened meanwhile is told late.
        """
        if now - self._last > _LIMIT:  # it is over, and the beat that says so comes next
            return sent_at < now - _LIMIT
        return sent_at < self._resumed_at and now - self._resumed_at < _GRACE
