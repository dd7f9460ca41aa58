"""What watchers are told: a bounded history, and a bounded buffer for each watcher. Pure.

The history is of the things that performers are shown from, not of what was shown: replicas see the
kinds in different orders, but each kind in one order. So a performer as the holder of a token knows
it is the present one with every later change taken back, on whatever replica. Where the two differ,
the present one is sent, once.

A token is told how far back the history reaches for each kind: to its last whole list, or to the
last change that was forgotten. One from before that asks for a snapshot.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hourglass_common.kube.watch_state import Key
from hourglass_services.control.port import EventKind, Filter, Manifest, PerformerView, WatchEvent

from .token import Token, Versions, is_as_far, parse_token

HISTORY = 4096
BUFFER = 1024
OBJECT = ""
"""The part of a performer that is its own object; all others are named by who makes the views."""

Undo = Mapping[str, object]
"""Parts of a performer as they were before, by name; None for one that was not there."""
Look = Callable[[Key, Undo], PerformerView | None]
"""Returns a performer as it is, but for these parts; None where there was none."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of a part of a performer: in which cache, at which version, and what was before.

    ``slot`` is the place of the cache in the versions.
    """

    slot: int
    version: int
    key: Key
    part: str
    before: object


@dataclass(slots=True, eq=False)
class Watcher:
    """One subscriber: events that it has not read yet, and whether some were dropped."""

    wanted: Filter
    at_most: int = BUFFER
    wake: Callable[[], None] = lambda: None
    missed: bool = False
    _pending: list[WatchEvent] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be read."""
        return not self._pending and not self.missed

    def offer(self, event: WatchEvent, before: Manifest | None) -> None:
        """Take an event that it wants to see: a performer may enter or leave its view."""
        shown = _shown_to(self.wanted, event, before)
        if shown is None or self.missed:
            return
        if len(self._pending) >= self.at_most:
            self.missed = True
            self._pending.clear()
        else:
            self._pending.append(shown)
        self.wake()

    def take(self) -> tuple[WatchEvent, ...]:
        """Return what is pending, and forget it."""
        taken = _tokens_at_ends(self._pending)
        self._pending.clear()
        return taken

    def begin(self) -> None:
        """Forget what came so far: what follows begins with how things are."""
        self._pending.clear()
        self.missed = False


class Feed:
    """Publishes changes to the watchers and keeps the last ones for those who come back.

    ``versions`` are those of a whole picture, which can not be gone back from; ``newest`` are those
    of the newest thing in it.
    """

    def __init__(
        self, versions: Versions, newest: Versions | None = None, *, history: int = HISTORY
    ) -> None:
        self.watchers: list[Watcher] = []
        self._reached = list(versions)
        self._newest = list(newest or versions)
        self._floor = list(versions)
        self._history: deque[Entry] = deque(maxlen=history)

    @property
    def token(self) -> str:
        return str(Token(tuple(self._reached), tuple(self._newest)))

    def listed(self, versions: Versions) -> None:
        """Take note of the versions of the last whole lists: no change before them is known."""
        for slot, version in enumerate(versions):
            self._floor[slot] = max(self._floor[slot], version)
            self._reached[slot] = max(self._reached[slot], version)

    def reach(self, slot: int, version: int, newest: int) -> None:
        """Take note that a cache has got to ``version``, by a change of that or an older one."""
        self._reached[slot] = max(self._reached[slot], version)
        self._newest[slot] = max(self._newest[slot], newest)

    def record(self, entry: Entry) -> None:
        """Keep a change for those who come back."""
        if len(self._history) == self._history.maxlen:
            old = self._history[0]
            self._floor[old.slot] = max(self._floor[old.slot], old.version)
        self._history.append(entry)

    def publish(self, kind: EventKind, view: PerformerView, before: Manifest | None = None) -> None:
        """Tell the watchers of one performer; ``before`` is its object as it was shown."""
        event = WatchEvent(kind, view, self.token)
        for watcher in self.watchers:
            watcher.offer(event, before)

    def is_behind(self, token: str, versions: Versions) -> bool:
        """Return whether a cache that is at ``versions`` has not got to where the token was."""
        known = parse_token(token, len(self._reached))
        return known is not None and any(
            now < newest for now, newest in zip(versions[1:], known.newest[1:], strict=True)
        )

    def since(self, token: str, wanted: Filter, look: Look) -> tuple[WatchEvent, ...] | None:
        """Return what is not as the holder of ``token`` knows it, None where that is not known."""
        known = parse_token(token, len(self._reached))
        if known is None or not self._reaches_back_to(known):
            return None
        last = self._last_objects()
        events: list[WatchEvent] = []
        for key, undo in self._changed_since(known).items():
            event = _difference(wanted, look(key, undo), look(key, {}))
            if event is not None and event.performer is None:
                event = replace(event, performer=PerformerView(last[key]))
            if event is not None:
                events.append(event)
        return (*events[:-1], *(replace(end, resume_token=self.token) for end in events[-1:]))

    def snapshot(
        self,
        views: Iterable[PerformerView],
        *,
        wanted: Filter | None = None,
        after: str | None = None,
        look: Look | None = None,
    ) -> tuple[WatchEvent, ...]:
        """Return what tells a watcher all that there is; only its end can be resumed from.

        With ``after``, the last token that it was given, it begins with RESYNC and with what is
        known to have been deleted since.
        """
        gone: tuple[WatchEvent, ...] = ()
        if after is not None and wanted is not None and look is not None:
            gone = (WatchEvent(EventKind.RESYNC, None, ""), *self._deleted(after, wanted, look))
        return (
            *gone,
            *(WatchEvent(EventKind.ADDED, view, "") for view in views),
            WatchEvent(EventKind.SNAPSHOT_DONE, None, self.token),
        )

    def _reaches_back_to(self, known: Token) -> bool:
        return known.reached[0] == self._floor[0] and all(
            reached >= floor for reached, floor in zip(known.reached, self._floor, strict=True)
        )

    def _changed_since(self, known: Token | None) -> dict[Key, dict[str, object]]:
        """Return what takes back the changes after a token, by performer, the last changed last."""
        undo: dict[Key, dict[str, object]] = {}
        for entry in reversed(self._history):
            if known is None or entry.version > known.reached[entry.slot]:
                undo.setdefault(entry.key, {})[entry.part] = entry.before
        return dict(reversed(undo.items()))

    def _deleted(self, after: str, wanted: Filter, look: Look) -> Iterable[WatchEvent]:
        known = parse_token(after, len(self._reached))
        if known is not None and known.reached[0] != self._floor[0]:
            known = None
        last = self._last_objects()
        for key in self._changed_since(known):
            if key in last and look(key, {}) is None and wanted.matches(last[key]):
                yield WatchEvent(EventKind.DELETED, PerformerView(last[key]), "")

    def _last_objects(self) -> dict[Key, Manifest]:
        """Return, by performer, the last object that is known to have been changed away from."""
        return {
            entry.key: entry.before
            for entry in self._history
            if entry.part == OBJECT and isinstance(entry.before, Mapping)
        }


def _difference(
    wanted: Filter, then: PerformerView | None, now: PerformerView | None
) -> WatchEvent | None:
    """Return what a watcher is told who knows ``then``; the view is None for one that is gone."""
    known = then if then is not None and wanted.matches(then.manifest) else None
    shown = now if now is not None and wanted.matches(now.manifest) else None
    if shown is None:
        return None if known is None else WatchEvent(EventKind.DELETED, now, "")
    if known is None:
        return WatchEvent(EventKind.ADDED, shown, "")
    if shown.endpoints == known.endpoints and _is_same(shown.manifest, known.manifest):
        return None
    return WatchEvent(EventKind.MODIFIED, shown, "")


def _is_same(one: Manifest, other: Manifest) -> bool:
    return one is other or all(
        one["metadata"].get(key) == other["metadata"].get(key) for key in ("uid", "resourceVersion")
    )


def _shown_to(wanted: Filter, event: WatchEvent, before: Manifest | None) -> WatchEvent | None:
    view = event.performer
    if view is None:
        return event
    now = wanted.matches(view.manifest)
    was = before is not None and wanted.matches(before)
    if event.kind is EventKind.MODIFIED and now != was:
        return replace(event, kind=EventKind.ADDED if now else EventKind.DELETED)
    return event if now else None


def _tokens_at_ends(events: Sequence[WatchEvent]) -> tuple[WatchEvent, ...]:
    """Return the events with the token left only on the last of each run that got as far."""
    return (
        *(
            replace(event, resume_token="")
            if is_as_far(event.resume_token, after.resume_token)
            else event
            for event, after in pairwise(events)
        ),
        *events[-1:],
    )
