"""What watchers are told: a bounded history, and a bounded buffer for each watcher. Pure.

A token names what is followed and the resourceVersions that were reached: one for each kind that a
performer is made of, in each namespace that is watched by itself. They only grow, and mean the same
on every replica. Resuming sends each performer that changed since, once, as it is now; a token that
the history does not reach back to asks for a snapshot. Several changes may be made at the same
versions (one list brings many): only the last of them carries the token, so that a reader cut off
between them is sent them all again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hourglass_services.control.port import EventKind, Filter, Manifest, PerformerView, WatchEvent

HISTORY = 4096
BUFFER = 1024

Versions = tuple[int, ...]


def token_of(versions: Versions) -> str:
    return ".".join(str(version) for version in versions)


def parse_token(token: str, kinds: int) -> Versions | None:
    """Return the versions of a token, None for a text that is not one of ours."""
    parts = token.split(".")
    if len(parts) != kinds or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(int(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: the event, and the object before it where there was one."""

    versions: Versions
    event: WatchEvent
    before: Manifest | None

    def shown_to(self, wanted: Filter) -> WatchEvent | None:
        """Return the event as a watcher of ``wanted`` sees it: it may enter or leave its view."""
        view = self.event.performer
        if view is None:
            return self.event
        now = wanted.matches(view.manifest)
        was = self.before is not None and wanted.matches(self.before)
        if self.event.kind is EventKind.MODIFIED and now != was:
            return replace(self.event, kind=EventKind.ADDED if now else EventKind.DELETED)
        return self.event if now else None


@dataclass(slots=True, eq=False)
class Watcher:
    """One subscriber: events that it has not read yet, and whether some were dropped."""

    wanted: Filter
    at_most: int = BUFFER
    missed: bool = False
    _pending: list[WatchEvent] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be read."""
        return not self._pending and not self.missed

    def offer(self, entry: Entry) -> None:
        event = entry.shown_to(self.wanted)
        if event is None or self.missed:
            return
        if len(self._pending) >= self.at_most:
            self.missed = True
            self._pending.clear()
            return
        self._pending.append(event)

    def take(self) -> tuple[WatchEvent, ...]:
        """Return what is pending, and forget it."""
        taken = _tokens_at_ends(self._pending)
        self._pending.clear()
        return taken


class Feed:
    """Publishes changes to the watchers and keeps the last ones for those who come back.

    ``versions`` are those of a whole picture: what came before them can not be resumed.
    """

    def __init__(self, versions: Versions, *, history: int = HISTORY) -> None:
        self.versions = versions
        self.watchers: list[Watcher] = []
        self._floor = versions
        self._history: deque[Entry] = deque(maxlen=history)

    @property
    def token(self) -> str:
        return token_of(self.versions)

    def publish(
        self,
        kind: EventKind,
        view: PerformerView,
        versions: Versions,
        before: Manifest | None = None,
    ) -> None:
        """Record one change, reached at ``versions``."""
        self.versions = tuple(map(max, versions, self.versions))
        entry = Entry(self.versions, WatchEvent(kind, view, self.token), before)
        if len(self._history) == self._history.maxlen:
            self._floor = self._history[0].versions
        self._history.append(entry)
        for watcher in self.watchers:
            watcher.offer(entry)

    def since(self, token: str, wanted: Filter) -> tuple[WatchEvent, ...] | None:
        """Return what changed after ``token``, None where that is not known (any more)."""
        known = parse_token(token, len(self.versions))
        if known is None or any(k < floor for k, floor in zip(known, self._floor, strict=True)):
            return None
        if any(k > now for k, now in zip(known, self.versions, strict=True)):
            return None  # this replica has not got there yet: a snapshot is the honest answer
        latest: dict[tuple[str, str], WatchEvent] = {}
        for entry in self._history:
            if all(v <= k for v, k in zip(entry.versions, known, strict=True)):
                continue
            event = entry.shown_to(wanted)
            if event is not None and event.performer is not None:
                meta = event.performer.manifest["metadata"]
                key = (meta.get("namespace", ""), meta["name"])
                latest.pop(key, None)
                latest[key] = event
        return _tokens_at_ends(tuple(latest.values()))


def snapshot(views: Iterable[PerformerView], token: str, *, resync: bool) -> tuple[WatchEvent, ...]:
    """Return what tells a watcher all that there is; only its end can be resumed from."""
    return (
        *([WatchEvent(EventKind.RESYNC, None, "")] if resync else []),
        *(WatchEvent(EventKind.ADDED, view, "") for view in views),
        WatchEvent(EventKind.SNAPSHOT_DONE, None, token),
    )


def _tokens_at_ends(events: Sequence[WatchEvent]) -> tuple[WatchEvent, ...]:
    """Return the events with the token left only on the last of each run that shares it."""
    return (
        *(
            replace(event, resume_token="") if event.resume_token == after.resume_token else event
            for event, after in pairwise(events)
        ),
        *events[-1:],
    )
