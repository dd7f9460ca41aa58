"""Whether a rollout has stopped moving. Pure."""

from datetime import datetime, timedelta

from .revision import Revision


def seconds_left(
    revision: Revision, wanted: int, limit_seconds: int, now: datetime
) -> float | None:
    """Return the seconds until a revision that is not complete counts as stuck.

    0 or less means that it is; None that it is complete. Progress is the revision's beginning,
    and each instance that became ready.
    """
    if revision.ready >= wanted:
        return None
    moments = [revision.started_at, *(i.ready_since for i in revision.instances if i.ready)]
    last = max((datetime.fromisoformat(text) for text in moments if text), default=now)
    return (last + timedelta(seconds=limit_seconds) - now).total_seconds()
