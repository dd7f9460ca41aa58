"""A cache that follows a model server through cut streams, 410s and lost versions."""

from typing import Any

from hourglass_common.kube.watch_state import (
    BACKOFF,
    RELIST,
    Broke,
    Change,
    Ended,
    EventRead,
    Input,
    Key,
    Listing,
    Manifest,
    PageRead,
    Phase,
    TimeUp,
    Waiting,
    Watching,
    WatchState,
    advance,
    apply_change,
    key_of,
)
from hypothesis import Phase as RunPhase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
UNIT = st.floats(0, 1, exclude_max=True)
PAGE = 2


class Server:
    """Objects, the log of their changes, and the oldest version a watch can start from."""

    def __init__(self) -> None:
        self.version = 1
        self.compacted = 0
        self.objects: dict[Key, Manifest] = {}
        self.log: list[tuple[int, Manifest]] = []
        self.snapshots: dict[str, tuple[int, list[Manifest]]] = {}
        self.uids = 0

    def put(self, name: str) -> None:
        self.version += 1
        old = self.objects.get(("ns", name))
        if old is None:
            self.uids += 1
        uid = old["metadata"]["uid"] if old else f"uid-{self.uids}"
        self._record("MODIFIED" if old else "ADDED", name, uid)

    def delete(self, name: str) -> None:
        old = self.objects.get(("ns", name))
        if old is not None:
            self.version += 1
            self._record("DELETED", name, old["metadata"]["uid"])

    def _record(self, kind: str, name: str, uid: str) -> None:
        meta = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(self.version)}
        body: Manifest = {"metadata": meta}
        if kind == "DELETED":
            del self.objects["ns", name]
        else:
            self.objects["ns", name] = body
        self.log.append((self.version, {"type": kind, "object": body}))

    def page(self, continue_: str) -> Input:
        if continue_:
            start, (version, items) = int(continue_.split("/")[1]), self.snapshots[continue_]
            if version < self.compacted:
                return Broke(gone=True)
        else:
            start, version, items = 0, self.version, list(self.objects.values())
        end = start + PAGE
        token = f"{version}/{end}" if end < len(items) else ""
        if token:
            self.snapshots[token] = (version, items)
        return PageRead(tuple(items[start:end]), str(version), token)

    def next_event(self, after: int, *, gone_as_event: bool) -> Input | None:
        if after < self.compacted:
            if gone_as_event:
                return EventRead({"type": "ERROR", "object": {"kind": "Status", "code": 410}})
            return Broke(gone=True)
        found = next((event for version, event in self.log if version > after), None)
        return EventRead(found) if found else None


class WatchMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.state = WatchState()
        self.cache: dict[Key, Manifest] = {}
        self.told: dict[Key, Manifest] = {}
        self.versions: set[tuple[str, str]] = set()
        self.now = 0.0

    @initialize(names=st.sets(NAMES))
    def some_objects(self, names: set[str]) -> None:
        for name in sorted(names):
            self.server.put(name)

    @rule(name=NAMES)
    def put(self, name: str) -> None:
        self.server.put(name)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.server.delete(name)

    @rule(name=NAMES)
    def recreate(self, name: str) -> None:
        self.server.delete(name)
        self.server.put(name)

    @rule(gone_as_event=st.booleans(), u=UNIT)
    def step(self, gone_as_event: bool, u: float) -> None:
        """The next thing that a healthy connection would bring."""
        self._step(gone_as_event, u)

    @rule()
    def compact(self) -> None:
        self.server.compacted = self.server.version

    @rule(u=UNIT, retry_after=st.none() | st.integers(0, 60))
    def cut(self, u: float, retry_after: int | None) -> None:
        if not isinstance(self.state.phase, Waiting):
            phase = self._feed(Broke(retry_after=retry_after), u)
            assert isinstance(phase, Waiting)
            assert phase.until - self.now >= (retry_after or 0) - 1e-9

    @rule(u=UNIT)
    def error_event(self, u: float) -> None:
        if isinstance(self.state.phase, Watching):
            body = {"kind": "Status", "code": 500, "metadata": {"resourceVersion": None}}
            assert isinstance(self._feed(EventRead({"type": "ERROR", "object": body}), u), Waiting)

    @rule(u=UNIT, seconds=st.integers(0, 300))
    def end(self, u: float, seconds: int) -> None:
        if isinstance(self.state.phase, Watching):
            self.now += seconds
            self._feed(Ended(), u)

    @rule(u=UNIT)
    def bookmark(self, u: float) -> None:
        if isinstance(self.state.phase, Watching):
            # A server sends a bookmark only for a version whose events it has sent.
            at = int(self.state.phase.version)
            if not any(version > at for version, _ in self.server.log):
                body = {"metadata": {"resourceVersion": str(self.server.version)}}
                phase = self._feed(EventRead({"type": "BOOKMARK", "object": body}), u)
                assert isinstance(phase, Watching)
                assert phase.version == str(self.server.version)

    @rule(u=UNIT)
    def bookmark_without_a_version(self, u: float) -> None:
        if isinstance(self.state.phase, Watching):
            before = self.state.phase
            self._feed(EventRead({"type": "BOOKMARK", "object": {"metadata": {}}}), u)
            assert self.state.phase == before

    def _step(self, gone_as_event: bool, u: float) -> bool:
        match self.state.phase:
            case Waiting(until=until):
                self.now = max(self.now, until)
                self._feed(TimeUp(), u)
            case Listing(continue_=continue_):
                self._feed(self.server.page(continue_), u)
            case Watching(version=version):
                read = self.server.next_event(int(version), gone_as_event=gone_as_event)
                if read is None:
                    return False
                self._feed(read, u)
        return True

    def _feed(self, read: Input, u: float) -> Phase:
        self.now += 1 / 1024  # exact in binary, as all times here
        before = dict(self.cache)
        self.state, changes = advance(self.state, self.cache, read, now=self.now, u=u)
        assert self.cache == before, "advance does not write the cache"
        for change in changes:
            self._told(change)
            apply_change(self.cache, change)
        return self.state.phase

    def _told(self, change: Change) -> None:
        """What a listener may rely on: changes are a consistent story, each version once."""
        assert self.told.get(change.key) == change.old
        if change.new is None:
            assert change.kind == "deleted"
            del self.told[change.key]
            return
        meta = change.new["metadata"]
        assert change.kind == ("modified" if change.old else "added")
        assert change.key == key_of(change.new)
        assert (meta["uid"], meta["resourceVersion"]) not in self.versions
        self.versions.add((meta["uid"], meta["resourceVersion"]))
        if change.old is not None:
            assert change.old["metadata"]["uid"] == meta["uid"], "a new uid is a new object"
        self.told[change.key] = change.new

    @invariant()
    def versions_asked_for_are_real(self) -> None:
        phase = self.state.phase
        if isinstance(phase, Watching):
            assert phase.version.isdecimal()

    @invariant()
    def waits_are_bounded(self) -> None:
        if isinstance(self.state.phase, Waiting):
            assert self.state.phase.until - self.now <= max(60.0, RELIST.maximum) + 1e-9

    @invariant()
    def listeners_and_cache_agree(self) -> None:
        assert self.told == self.cache

    def teardown(self) -> None:
        """On a connection that stays up, the cache becomes what the server holds."""
        for _ in range(500):
            if not self._step(gone_as_event=True, u=0.5):
                break
        assert isinstance(self.state.phase, Watching)
        assert self.state.synced
        assert self.cache == self.server.objects


TestWatchState = WatchMachine.TestCase
TestWatchState.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    # Without `explain`, which traces every line and would outlast the test's time limit.
    phases=(RunPhase.generate, RunPhase.shrink),
)


def test_a_list_tells_a_recreated_object_from_a_changed_one() -> None:
    def made(uid: str, version: str) -> Manifest:
        return {"metadata": {"name": "a", "uid": uid, "resourceVersion": version}}

    def kinds(new: Manifest) -> list[str]:
        cache = {("", "a"): made("u1", "1")}
        _, changes = advance(WatchState(), cache, PageRead((new,), "9"), now=0.0, u=0.0)
        return [change.kind for change in changes]

    assert kinds(made("u1", "1")) == []
    assert kinds(made("u1", "2")) == ["modified"]
    assert kinds(made("u2", "2")) == ["deleted", "added"]


def test_a_server_that_answers_every_watch_with_410_is_not_listed_without_a_pause() -> None:
    state, now = WatchState(), 0.0
    lists: list[float] = []
    cache: dict[Any, Manifest] = {}
    while now < 120:
        match state.phase:
            case Listing():
                lists.append(now)
                read: Input = PageRead((), "5")
            case Watching():
                read = Broke(gone=True)
            case Waiting(until=until):
                now = max(now, until)
                read = TimeUp()
        state, _ = advance(state, cache, read, now=now, u=0.0)
    assert len(lists) < 12


def test_a_watch_that_ends_at_once_is_a_failure_and_one_that_lasted_is_not() -> None:
    watching = WatchState(Watching("7", since=100.0), synced=True, failures=3)
    soon, _ = advance(watching, {}, Ended(), now=100.2, u=0.5)
    late, _ = advance(watching, {}, Ended(), now=390.0, u=0.5)
    assert soon.failures == 4
    assert isinstance(soon.phase, Waiting)
    assert soon.phase.until > 101
    assert late == WatchState(Waiting(390.0, "7"), synced=True, failures=0)


def test_watches_that_are_cut_for_their_silence_come_back_soon_every_time() -> None:
    state, now = WatchState(Watching("7", since=0.0), synced=True), 0.0
    for _ in range(20):
        now += 90.0
        state, _ = advance(state, {}, Broke(), now=now, u=0.0)
        assert state.phase == Waiting(now + BACKOFF.minimum, "7")
        now += BACKOFF.minimum
        state, _ = advance(state, {}, TimeUp(), now=now, u=0.0)


def test_the_first_retry_is_jittered_too() -> None:
    watching = WatchState(Watching("7", since=0.0), synced=True)
    waits = {
        state.phase.until
        for u in (0.0, 0.3, 0.9)
        for state, _ in [advance(watching, {}, Broke(), now=50.0, u=u)]
        if isinstance(state.phase, Waiting)
    }
    assert len(waits) == 3


def test_a_410_after_an_outage_is_answered_by_a_list_at_once() -> None:
    """A server that was started anew has forgotten the version that it was left at."""
    state, now = WatchState(Watching("7", since=0.0), synced=True), 100.0
    for _ in range(12):
        state, _ = advance(state, {}, Broke(), now=now, u=0.0)
        now += 10.0
        state, _ = advance(state, {}, TimeUp(), now=now, u=0.0)
    gone = {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}
    state, _ = advance(state, {}, EventRead(gone), now=now, u=0.0)
    assert state.phase == Waiting(now + RELIST.minimum)
