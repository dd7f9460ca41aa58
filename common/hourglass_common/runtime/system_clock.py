"""The clock of the machine."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements ``domain.clock.Clock``."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)
