"""Time as an argument: the port through which every program reads a clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """``runtime.system_clock`` for real; ``tests.support.manual_clock`` in tests."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...

    def wall(self) -> datetime:
        """Return the time of day, in UTC; for records, never for deadlines."""
        ...


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` as Kubernetes writes times: ``2026-01-02T03:04:05Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
