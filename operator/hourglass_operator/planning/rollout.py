"""How many instances each revision should have: the rolling update. Pure.

The new revision comes up in full beside the old ones; an old one is only scaled down as far as
ready instances of the new one take its place, so that never fewer are ready than are wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .observed import Revision

HISTORY = 10
"""Retired revisions that are kept, without instances, to return to."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Replicas wanted for each existing revision by name, for a new one, and what to forget."""

    existing: dict[str, int]
    create: int | None
    forget: tuple[Revision, ...]


def plan_sizes(revisions: Sequence[Revision], current: str, wanted: int) -> Sizes:
    """Return the sizes for the revision with hash ``current`` to take over with ``wanted``."""
    newest = next((r for r in revisions if r.hash == current), None)
    others = [r for r in revisions if r.hash != current]
    sizes: dict[str, int] = {}
    if newest is not None:
        sizes[newest.name] = wanted
    ready = min(newest.ready, wanted) if newest is not None else 0
    spare = max(0, wanted - ready)
    for old in sorted(others, key=_serving_first):
        keep = min(old.wanted, spare)
        if wanted > 0 and old.ready < old.wanted:
            keep = min(keep, max(old.ready, 0))  # what never came up is not worth waiting for
        sizes[old.name] = keep
        spare -= min(keep, old.ready)
    gone = [old for old in others if old.wanted == 0 and old.existing == 0]
    gone.sort(key=lambda r: (r.created_at, r.name), reverse=True)
    return Sizes(
        existing=sizes,
        create=wanted if newest is None else None,
        forget=tuple(gone[HISTORY:]),
    )


def _serving_first(revision: Revision) -> tuple[int, str, str]:
    return (-revision.ready, revision.created_at, revision.name)
