"""The watch feed: whoever reads it, cut off anywhere, ends with what there is."""

from typing import Any

from hourglass_operator.control.feed import Feed, Watcher, parse_token, snapshot, token_of
from hourglass_services.control.port import EventKind, Filter, PerformerView, WatchEvent
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

HISTORY = 4
BUFFER = 5
AVS = st.sampled_from(["0xa", "0xb"])
NAMES = st.sampled_from(["p", "q", "r", "s", "t", "u"])


def view(name: str, avs: str, version: int) -> PerformerView:
    meta = {"namespace": "ns", "name": name, "resourceVersion": str(version)}
    return PerformerView({"metadata": meta, "spec": {"avsAddress": avs}})


class Reader:
    """A client: knows what it was told, and the last token."""

    def __init__(self, avs: str) -> None:
        self.wanted = Filter(avs=avs)
        self.known: dict[str, str] = {}
        self.fresh: dict[str, str] | None = None
        self.token = ""
        self.watcher: Watcher | None = None
        self.unread: list[WatchEvent] = []
        self.told: set[tuple[str, str, EventKind]] = set()

    def read(self, event: WatchEvent) -> None:
        self.token = event.resume_token or self.token
        match event.kind:
            case EventKind.RESYNC:
                self.fresh = {}
            case EventKind.SNAPSHOT_DONE:
                if self.fresh is not None:
                    self.known, self.fresh = self.fresh, None
            case _:
                assert event.performer is not None
                self._apply(event, event.performer.manifest["metadata"])

    def _apply(self, event: WatchEvent, meta: dict[str, Any]) -> None:
        name, version = meta["name"], meta["resourceVersion"]
        if self.fresh is not None:
            self.fresh[name] = version
            return
        assert (name, version, event.kind) not in self.told, "told twice without a break"
        self.told.add((name, version, event.kind))
        if event.kind is EventKind.DELETED:
            self.known.pop(name, None)
        else:
            self.known[name] = version


class FeedMachine(RuleBasedStateMachine):
    """One kind's changes come singly or many at one version, as from a list."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 10
        self.other = 5
        self.objects: dict[str, PerformerView] = {
            "p": view("p", "0xa", 3),
            "q": view("q", "0xa", 4),
        }
        self.feed = Feed((self.version, self.other), history=HISTORY)
        self.reader = Reader("0xa")

    def put(self, name: str, avs: str | None) -> None:
        old = self.objects.pop(name, None)
        before = old.manifest if old else None
        versions = (self.version, self.other)
        if avs is None:
            if old is not None:
                self.feed.publish(EventKind.DELETED, old, versions)
            return
        # Versions of objects are their own; the cache's is that of the list or the event.
        self.serial = getattr(self, "serial", 100) + 1
        new = self.objects[name] = view(name, avs, self.serial)
        self.feed.publish(
            EventKind.ADDED if old is None else EventKind.MODIFIED, new, versions, before
        )

    @rule(changes=st.lists(st.tuples(NAMES, AVS | st.none()), min_size=1, max_size=4))
    def change(self, changes: list[tuple[str, str | None]]) -> None:
        self.version += 1
        for name, avs in changes:
            self.put(name, avs)

    @rule(name=NAMES)
    def change_by_the_other_kind(self, name: str) -> None:
        if name in self.objects:
            self.other += 1
            self.put(name, self.objects[name].manifest["spec"]["avsAddress"])

    @rule()
    def connect(self) -> None:
        reader = self.reader
        if reader.watcher is not None:
            return
        if not reader.token:
            reader.known, reader.fresh = {}, {}
        reader.told = set()
        reader.watcher = Watcher(reader.wanted, BUFFER)
        self.feed.watchers.append(reader.watcher)
        opening = self.feed.since(reader.token, reader.wanted) if reader.token else None
        if opening is None:
            opening = self.snapshot(resync=bool(reader.token))
        reader.unread = list(opening)

    @rule(count=st.integers(1, 5))
    def read(self, count: int) -> None:
        for _ in range(count):
            self.read_one()

    @rule()
    def read_all(self) -> None:
        while self.reader.watcher and (self.reader.unread or not self.reader.watcher.idle):
            self.read_one()

    @rule(count=st.integers(0, 4))
    def break_off(self, count: int = 0) -> None:
        self.read(count)
        reader = self.reader
        if reader.watcher is not None:
            self.feed.watchers.remove(reader.watcher)
            reader.watcher, reader.unread, reader.fresh = None, [], None

    @rule(count=st.integers(0, 4))
    def break_off_and_come_back(self, count: int) -> None:
        self.break_off(count)
        self.connect()

    @rule()
    def restart_on_another_replica(self) -> None:
        """Its history begins where its caches were whole."""
        self.break_off()
        self.feed = Feed((self.version, self.other), history=HISTORY)

    @invariant()
    def a_reader_who_has_read_all_knows_what_there_is(self) -> None:
        reader = self.reader
        if reader.watcher is None or reader.unread or not reader.watcher.idle:
            return
        assert reader.fresh is None
        there = {
            name: shown.manifest["metadata"]["resourceVersion"]
            for name, shown in self.objects.items()
            if reader.wanted.matches(shown.manifest)
        }
        assert reader.known == there

    def teardown(self) -> None:
        self.connect()
        self.read_all()
        self.a_reader_who_has_read_all_knows_what_there_is()

    def read_one(self) -> None:
        reader = self.reader
        if reader.watcher is None:
            return
        if not reader.unread:
            reader.unread = list(reader.watcher.take())
            if reader.watcher.missed:
                reader.watcher.missed = False
                reader.told = set()
                reader.unread = list(self.snapshot(resync=True))
        if reader.unread:
            reader.read(reader.unread.pop(0))

    def snapshot(self, *, resync: bool) -> tuple[WatchEvent, ...]:
        wanted = self.reader.wanted
        views = [shown for shown in self.objects.values() if wanted.matches(shown.manifest)]
        return snapshot(views, self.feed.token, resync=resync)


FeedMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestFeed = FeedMachine.TestCase


def test_a_token_is_read_as_it_was_written_and_nothing_else_is() -> None:
    assert parse_token(token_of((1, 22, 0)), 3) == (1, 22, 0)
    for text in ("", "1.2", "1.2.3.4", "1.x.3", "1.-2.3", "1.².3", "1. 2.3"):
        assert parse_token(text, 3) is None


def test_a_token_from_before_the_feed_began_is_not_resumed() -> None:
    feed = Feed((10, 10))
    assert feed.since("9.10", Filter()) is None
    assert feed.since("10.10", Filter()) == ()


def test_a_token_from_a_replica_that_is_ahead_is_not_resumed() -> None:
    assert Feed((10, 10)).since("10.11", Filter()) is None


def test_a_full_buffer_drops_all_of_it_and_says_so() -> None:
    feed = Feed((1,))
    watcher = Watcher(Filter(), 2)
    feed.watchers.append(watcher)
    for version in (2, 3, 4, 5):
        feed.publish(EventKind.MODIFIED, view("p", "0xa", version), (version,))
    assert watcher.missed
    assert watcher.take() == ()


def test_what_was_made_at_once_has_its_token_at_the_end() -> None:
    feed = Feed((1,))
    watcher = Watcher(Filter())
    feed.watchers.append(watcher)
    for name, version in (("p", 2), ("q", 2), ("r", 3)):
        feed.publish(EventKind.ADDED, view(name, "0xa", version), (version,))
    assert [event.resume_token for event in watcher.take()] == ["", "2", "3"]
    resumed = feed.since("1", Filter())
    assert resumed is not None
    assert [event.resume_token for event in resumed] == ["", "2", "3"]


def test_a_token_that_the_history_has_forgotten_is_not_resumed() -> None:
    feed = Feed((1,), history=2)
    for version in (2, 3, 4):
        feed.publish(EventKind.MODIFIED, view("p", "0xa", version), (version,))
    assert feed.since("1", Filter()) is None
    resumed = feed.since("2", Filter())
    assert resumed is not None
    assert [event.resume_token for event in resumed] == ["4"]
