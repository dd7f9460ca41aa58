"""Waiting for what a fenced performer still holds, as its executors report it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.performer_status import UNKNOWN

from hourglass_operator.planning.drain import Drain, drain
from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.revision import read_revisions

from .views import Views

Observe = Callable[[], Observed | None]
Manifest = Mapping[str, Any]


async def wait_drained(
    views: Views, observe: Observe, since: datetime, clock: Clock
) -> tuple[str, str]:
    """Return the tasks in flight at the end and those lost, once no executor reports any.

    Not later than the spec's drain time after ``since``; a performer that is gone holds nothing.
    """
    while True:
        seen = observe()
        drains = drains_of(seen, since, clock.wall()) if seen is not None else ()
        if all(found.over for found in drains):
            return figures(drains)
        rechecks = [d.recheck_after for d in drains if not d.over and d.recheck_after is not None]
        moved = views.moved
        await views.wait(moved.is_set, min(rechecks, default=1.0))


def drains_of(seen: Observed, since: datetime, now: datetime) -> tuple[Drain, ...]:
    """Return the drain of every revision that has instances."""
    timeout = seen.performer.spec.rollout.drain_timeout_seconds
    return tuple(
        drain(seen.reports, revision.hash, since, now, timeout_seconds=timeout)
        for revision in read_revisions(seen.replica_sets, seen.pods)
        if revision.existing
    )


def figures(drains: Sequence[Drain]) -> tuple[str, str]:
    """Return tasks in flight and lost; ``unknown`` where an executor fell silent or none spoke."""
    if not all(found.known for found in drains):
        return UNKNOWN, UNKNOWN
    return str(sum(d.in_flight for d in drains)), str(sum(d.lost for d in drains))


def fenced_since(status: Manifest) -> datetime | None:
    """Return when the fence came up that is up now, as the receipts tell it."""
    for receipt in status.get("receipts") or ():
        if receipt.get("action") == "Unfence":
            return None
        if receipt.get("action") == "Fence":
            return datetime.fromisoformat(str(receipt["when"]))
    return None
