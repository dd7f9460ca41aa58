"""Leader election's rules over one Lease, without waiting. Pure.

Times are this process's monotonic seconds: other machines' clocks are never compared with ours.
A lease is taken from its holder only after it was seen unchanged for its whole duration.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """client-go's three durations and defaults, in seconds.

    A leader that could not renew within ``renew_within`` stops, before another may start.
    """

    duration: float = 15.0
    renew_within: float = 10.0
    retry_every: float = 2.0

    @property
    def poll_every(self) -> float:
        """How often a standby looks: a lease that is given back is taken in less than 2 s."""
        return self.retry_every / 2


@dataclass(frozen=True, slots=True)
class Record:
    """What the Lease object says."""

    holder: str
    renewed: str
    resource_version: str
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What this process knows: the record, since when it is unchanged, and its own last renewal."""

    identity: str
    times: LeaseTimes = LeaseTimes()
    record: Record | None = None
    unchanged_since: float = 0.0
    renewed_at: float | None = None

    def observe(self, record: Record | None, now: float) -> "LeaseState":
        """Return the state after reading the Lease; None means that there is none."""
        if record == self.record:
            return self
        return replace(self, record=record, unchanged_since=now)

    def may_take(self, now: float) -> bool:
        """Return whether the lease is free, ours, or its holder silent for too long."""
        if self.record is None or self.record.holder in ("", self.identity):
            return True
        return now - self.unchanged_since >= self.times.duration

    @property
    def is_deposed(self) -> bool:
        """Return whether somebody else was seen to hold the lease."""
        return self.record is not None and self.record.holder not in ("", self.identity)

    def renewed(self, record: Record, asked_at: float) -> "LeaseState":
        """Return the state after our write went through; it counts from when it was sent."""
        return replace(self, record=record, unchanged_since=asked_at, renewed_at=asked_at)

    def leads(self, now: float) -> bool:
        """Return whether this process may act: it renewed lately, and saw nobody else lead."""
        fresh = self.renewed_at is not None and now - self.renewed_at < self.times.renew_within
        return fresh and not self.is_deposed
