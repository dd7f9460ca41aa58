"""What watchers are told: a bounded history, and a bounded buffer for each watcher. Pure.

A token names the resourceVersions that were reached, one for each kind that a performer is made
of. They only grow, and mean the same on every replica. Resuming sends each performer that
changed since, once, as it is now; a token older than the history asks for a snapshot.
"""

from collections import deque
from dataclasses import dataclass, field

from hourglass_services.control.port import EventKind, Filter, PerformerView, WatchEvent

HISTORY = 4096
BUFFER = 1024

Versions = tuple[int, ...]


def token_of(versions: Versions) -> str:
    return ".".join(str(version) for version in versions)


def parse_token(token: str, kinds: int) -> Versions | None:
    """Return the versions of a token, None for a text that is not one of ours."""
    parts = token.split(".")
    if len(parts) != kinds or not all(part.isdecimal() for part in parts):
        return None
    return tuple(int(part) for part in parts)


@dataclass(slots=True)
class Watcher:
    """One subscriber: events that it has not read yet, and whether some were dropped."""

    wanted: Filter
    pending: deque[WatchEvent] = field(default_factory=deque)
    missed: bool = False

    def offer(self, event: WatchEvent) -> None:
        if event.performer is not None and not self.wanted.matches(event.performer.manifest):
            return
        if self.missed or len(self.pending) >= BUFFER:
            self.missed = True
            self.pending.clear()
            return
        self.pending.append(event)


class Feed:
    """Publishes changes to the watchers and keeps the last ones for those who come back."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        self.watchers: list[Watcher] = []
        self._floor = versions
        self._history: deque[tuple[Versions, WatchEvent]] = deque(maxlen=HISTORY)

    def publish(self, kind: EventKind, view: PerformerView, versions: Versions) -> None:
        """Record one change, reached at ``versions``."""
        self.versions = tuple(map(max, versions, self.versions))
        event = WatchEvent(kind, view, token_of(self.versions))
        if len(self._history) == HISTORY:
            self._floor = self._history[0][0]
        self._history.append((self.versions, event))
        for watcher in self.watchers:
            watcher.offer(event)

    def since(self, token: str, wanted: Filter) -> tuple[WatchEvent, ...] | None:
        """Return what changed after ``token``, None where that is not known any more."""
        known = parse_token(token, len(self.versions))
        if known is None or any(k < floor for k, floor in zip(known, self._floor, strict=True)):
            return None
        if any(k > now for k, now in zip(known, self.versions, strict=True)):
            return None  # this replica has not got there yet: a snapshot is the honest answer
        latest: dict[tuple[str, str], WatchEvent] = {}
        for versions, event in self._history:
            view = event.performer
            if view is None or not wanted.matches(view.manifest):
                continue
            if any(v > k for v, k in zip(versions, known, strict=True)):
                meta = view.manifest["metadata"]
                key = (meta.get("namespace", ""), meta["name"])
                latest.pop(key, None)
                latest[key] = event
        return tuple(latest.values())
