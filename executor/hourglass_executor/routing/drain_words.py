"""What an executor says of the tasks that draining instances still hold, and when. Pure.

    in service --(takes no more tasks, or is gone)--> drains: said at once, with 0 tasks too
    drains     --(a figure changes)-----------------> said again, a second apart at most
    drains     --(holds nothing more)---------------> said at once; remembered for a minute
    drains     --(back in service)------------------> not said any more

Of an instance that was never seen in service nothing is said: an executor that was restarted does
not know what the one before it left there, and its silence makes the operator say ``unknown``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hourglass_common.domain.backoff import Backoff

from .drain import DrainReport

INTERVAL_SECONDS = 1.0
"""Between two words about the same drain, unless it has just begun or ended."""
HOLDS_SECONDS = 60.0
"""How long a word is good for that says that nothing is held, and how long it is remembered."""
MARGIN_SECONDS = 5.0
"""Past the latest deadline: the time for a call that ended there to be said."""
_AGAIN = Backoff(minimum=0.5, maximum=10.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is said of one revision; ``instances`` are all that are known of it, by name."""

    revision: str
    in_flight: int
    lost: int
    instances: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Word:
    """One report: what it says, and for how many seconds it holds without another."""

    figures: tuple[Figures, ...]
    holds_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """One revision, of which ``instances`` were in service and are not any more."""

    instances: frozenset[str]
    lost_before: int
    over_at: float | None = None


Said = tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]
"""Of each revision: what was lost, and what its draining instances hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainWords:
    """All that is known of one performer: who was in service, what drains, what was said of it."""

    serving: Mapping[str, str] = field(default_factory=dict)  # instance to revision
    drains: Mapping[str, Drain] = field(default_factory=dict)  # by revision
    loads: tuple[DrainReport, ...] = ()
    said: Said = ()
    said_at: float = float("-inf")
    failures: int = 0
    retry_at: float = float("-inf")

    @property
    def is_draining(self) -> bool:
        """Whether some drain has not ended yet."""
        return any(drain.over_at is None for drain in self.drains.values())


def observe(words: DrainWords, loads: Sequence[DrainReport], now: float) -> DrainWords:
    """Take in what the router holds now."""
    serving = {
        one.instance: load.revision or words.serving.get(one.instance, "")
        for load in loads
        for one in load.instances
        if one.in_service
    }
    lost = {load.revision: load.lost for load in loads}
    drains: dict[str, Drain] = {}
    for revision, drain in words.drains.items():
        left = drain.instances - serving.keys()
        expired = drain.over_at is not None and now - drain.over_at >= HOLDS_SECONDS
        if left and not expired:
            drains[revision] = replace(drain, instances=left)
    for instance, revision in words.serving.items():
        if instance not in serving and revision:
            known = drains.get(revision)
            drains[revision] = Drain(
                instances=(known.instances if known else frozenset()) | {instance},
                lost_before=known.lost_before if known else lost.get(revision, 0),
            )
    kept = {load.revision: load for load in loads}
    for revision, drain in drains.items():
        held = sum(_held(kept.get(revision), drain.instances).values())
        over_at = None if held else (now if drain.over_at is None else drain.over_at)
        drains[revision] = replace(drain, over_at=over_at)
    return replace(words, serving=serving, drains=drains, loads=tuple(loads))


def due(words: DrainWords) -> float:
    """Return when something is to be said; infinity for never."""
    now_said = _said(words)
    if set(now_said) <= set(words.said):
        return float("inf")
    at = words.said_at if _is_urgent(words.said, now_said) else words.said_at + INTERVAL_SECONDS
    return max(at, words.retry_at)


def forgets_at(words: DrainWords) -> float:
    """Return when time alone makes a drain that is over be forgotten; infinity for never."""
    over = (d.over_at + HOLDS_SECONDS for d in words.drains.values() if d.over_at is not None)
    return min(over, default=float("inf"))


def word(words: DrainWords, now: float) -> Word:
    """Return what is to be said now."""
    kept = {load.revision: load for load in words.loads}
    figures: list[Figures] = []
    latest = float("-inf")
    for revision, drain in sorted(words.drains.items()):
        load = kept.get(revision)
        by_instance = dict.fromkeys(sorted(drain.instances), 0)
        for one in load.instances if load else ():
            by_instance[one.instance] = by_instance.get(one.instance, 0) + one.in_flight
            if one.instance in drain.instances and one.latest_deadline is not None:
                latest = max(latest, one.latest_deadline)
        figures.append(
            Figures(
                revision,
                sum(by_instance.values()),
                _lost(load, drain),
                tuple(sorted(by_instance.items())),
            )
        )
    holds = HOLDS_SECONDS
    if latest > float("-inf"):
        holds = max(latest - now, 0.0) + MARGIN_SECONDS
    return Word(tuple(figures), holds)


def was_said(words: DrainWords, now: float) -> DrainWords:
    """Return the state after what ``word`` gave has been written."""
    return replace(words, said=_said(words), said_at=now, failures=0, retry_at=float("-inf"))


def was_not_said(words: DrainWords, now: float, u: float) -> DrainWords:
    """Return the state after a write that failed; ``u`` is random in [0, 1)."""
    failures = words.failures + 1
    return replace(words, failures=failures, retry_at=now + _AGAIN.delay(failures, u))


def _said(words: DrainWords) -> Said:
    kept = {load.revision: load for load in words.loads}
    return tuple(
        (
            revision,
            _lost(kept.get(revision), drain),
            tuple(sorted(_held(kept.get(revision), drain.instances).items())),
        )
        for revision, drain in sorted(words.drains.items())
    )


def _is_urgent(before: Said, after: Said) -> bool:
    """Whether an instance began to drain, or holds nothing more."""

    def held(said: Said) -> dict[tuple[str, str], int]:
        return {(revision, name): n for revision, _, counts in said for name, n in counts}

    old = held(before)
    return any(key not in old or (n == 0 and old[key] != 0) for key, n in held(after).items())


def _held(load: DrainReport | None, instances: frozenset[str]) -> dict[str, int]:
    found = dict.fromkeys(instances, 0)
    for one in load.instances if load else ():
        if one.instance in found:
            found[one.instance] += one.in_flight
    return found


def _lost(load: DrainReport | None, drain: Drain) -> int:
    return max(0, load.lost - drain.lost_before) if load else 0
