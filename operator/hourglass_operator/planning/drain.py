"""Whether what was taken out of service has finished its tasks, as executors report it. Pure.

The operator is not in the data path: it knows only what executors say. One that never speaks, or
falls silent with tasks in flight, is not waited for longer than the time limit, and its figures
are unknown, never 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.performer_status import UNKNOWN

REPORT_WITHIN_SECONDS = 3.0
"""The time that executors have for their first word; then those that spoke are all there are."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Where a drain stands: ``recheck_after`` seconds it may be over by itself.

    ``in_flight`` is what is left by the reports of executors that still speak; ``known`` whether
    all that ever reported on it still do.
    """

    over: bool
    in_flight: int
    lost: int
    known: bool
    recheck_after: float | None = None

    def figure(self, count: int) -> str:
        """Return a receipt's text for a count of this drain."""
        return str(count) if self.known else UNKNOWN


def drain(
    reports: Iterable[DrainReport],
    revision: str,
    since: datetime,
    now: datetime,
    *,
    timeout_seconds: float,
    instance: str = "",
) -> Drain:
    """Return how the drain of a revision, or of one ``instance`` of it, stands.

    Reports from before ``since`` say nothing of it.
    """
    mine = [r for r in reports if r.revision == revision and r.renewed_at >= since]
    silent = [r for r in mine if _held(r, instance) and now >= r.valid_until]
    speaking = [r for r in mine if r not in silent]
    in_flight = sum(_held(r, instance) for r in speaking)
    lost = sum(r.lost for r in mine)
    age = (now - since).total_seconds()
    known = bool(mine) and not silent
    if age >= timeout_seconds:
        return Drain(True, in_flight, lost, known and in_flight == 0)
    patience = min(REPORT_WITHIN_SECONDS, timeout_seconds)
    if age < patience:
        return Drain(False, in_flight, lost, known, patience - age)
    if in_flight == 0:
        return Drain(True, 0, lost, known)
    return Drain(
        False, in_flight, lost, known, _next(speaking, instance, since, now, timeout_seconds)
    )


def _held(report: DrainReport, instance: str) -> int:
    """Return the tasks in flight that concern ``instance``: all, where they are not told apart."""
    if instance and report.instances:
        return report.instances.get(instance, 0)
    return report.in_flight


def _next(
    speaking: Sequence[DrainReport],
    instance: str,
    since: datetime,
    now: datetime,
    timeout_seconds: float,
) -> float:
    ends = [r.valid_until for r in speaking if _held(r, instance)]
    ends.append(since + timedelta(seconds=timeout_seconds))
    return max(0.1, (min(ends) - now).total_seconds())
