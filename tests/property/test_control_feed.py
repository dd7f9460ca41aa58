"""The watch feed: whoever reads it, on any replica, cut off anywhere, ends with what there is."""

from collections.abc import Mapping
from typing import Any

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.kube.resources import ENDPOINT_SLICES, PERFORMERS, PODS
from hourglass_operator.control.feed import Watcher
from hourglass_operator.control.token import parse_token
from hourglass_operator.control.views import Views
from hourglass_operator.control.watching import opening, resync
from hourglass_services.control.port import EventKind, Filter, PerformerView, WatchEvent
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.played_caches import History, PlayedCaches, World, endpoint_slice, performer, pod

BUFFER = 3
HISTORY = 8
AVS = st.sampled_from(["0xa", "0xb"])
NAMES = st.sampled_from(["p", "q"])
REPLICAS = st.integers(0, 1)
KINDS = st.integers(0, 2)
QUICK = st.sets(REPLICAS)
"""Replicas that hear of a change at once."""
Known = Mapping[str, tuple[str, tuple[Endpoint, ...]]]


class Replica:
    def __init__(self, world: World) -> None:
        self.caches = PlayedCaches.of(world)
        self.views = Views(self.caches.caches(), history=HISTORY)
        self.feed = self.views.synced()

    def has_got_to(self, versions: tuple[int, ...]) -> bool:
        reached = self.views.caches.versions()
        return all(now >= then for now, then in zip(reached[1:], versions[1:], strict=True))

    def shown(self, wanted: Filter) -> Known:
        there = self.views.objects
        views = [self.views.view(k, m) for k, m in there.items() if wanted.matches(m)]
        return {name(view): state(view) for view in views}


class Reader:
    """A client: knows what it was told, and what it knew at the last token."""

    def __init__(self, avs: str) -> None:
        self.wanted = Filter(avs=avs)
        self.known: dict[str, Any] = {}
        self.certain: dict[str, Any] = {}
        self.fresh: dict[str, Any] | None = {}
        self.token = ""
        self.blurred: tuple[int, ...] | None = None
        self.replica: Replica | None = None
        self.watcher: Watcher | None = None
        self.unread: list[WatchEvent] = []

    def read(self, event: WatchEvent) -> None:
        match event.kind:
            case EventKind.RESYNC:
                self.fresh = {}
            case EventKind.SNAPSHOT_DONE:
                assert self.fresh is not None
                self.known, self.fresh = self.fresh, None
            case _:
                self._apply(event)
        if event.resume_token:
            self.token, self.certain = event.resume_token, dict(self.known)

    def _apply(self, event: WatchEvent) -> None:
        assert event.performer is not None
        found, new = name(event.performer), state(event.performer)
        if self.fresh is not None:
            if event.kind is not EventKind.DELETED:
                self.fresh[found] = new
            return
        if event.kind is EventKind.DELETED:
            assert found in self.known or self.blurred, "gone twice"
            self.known.pop(found, None)
            return
        assert self.known.get(found) != new or self.blurred, "told twice"
        self.known[found] = new

    def break_off(self) -> None:
        """What came after the last token is sent again."""
        if self.watcher is not None and self.replica is not None:
            self.replica.feed.watchers.remove(self.watcher)
        self.replica, self.watcher, self.unread = None, None, []
        self.known = dict(self.certain)
        self.fresh = None if self.token else {}


class WatchMachine(RuleBasedStateMachine):
    """Two replicas read three kinds, each at its own pace; a reader jumps between the two."""

    @initialize()
    def begin(self) -> None:
        self.world = World(
            {kind.plural: History(kind) for kind in (PERFORMERS, ENDPOINT_SLICES, PODS)}
        )
        self.world.put("performers", ("ns", "p"), performer("0xa"))
        self.replicas = [Replica(self.world), Replica(self.world)]
        self.reader = Reader("0xa")

    @rule(name=NAMES, avs=AVS | st.none(), quick=QUICK)
    def change_a_performer(self, name: str, avs: str | None, quick: set[int]) -> None:
        if avs is None:
            self.world.delete("performers", ("ns", name))
        else:
            self.world.put("performers", ("ns", name), performer(avs))

    @rule(
        name=NAMES,
        pods=st.lists(st.sampled_from("12"), max_size=2) | st.none(),
        staged=st.booleans(),
        quick=QUICK,
    )
    def change_a_slice(
        self, name: str, pods: list[str] | None, staged: bool, quick: set[int]
    ) -> None:
        key = ("ns", f"{name}-{'staged' if staged else 'slice'}")
        if pods is None:
            self.world.delete("endpointslices", key)
        else:
            named = [f"{name}-{each}" for each in pods]
            made = endpoint_slice(name, named, staged=staged)
            self.world.put("endpointslices", key, made)
        self._tell(quick, 1)

    @rule(
        name=NAMES,
        number=st.sampled_from("12"),
        revision=AVS | st.none(),
        serving=st.booleans(),
        quick=QUICK,
    )
    def change_a_pod(
        self, name: str, number: str, revision: str | None, serving: bool, quick: set[int]
    ) -> None:
        key = ("ns", f"{name}-{number}")
        if revision is None:
            self.world.delete("pods", key)
        else:
            self.world.put("pods", key, pod(name, revision=revision, serving=serving))
        self._tell(quick, 2)

    def _tell(self, replicas: set[int], kind: int) -> None:
        for replica in sorted(replicas):
            self.replicas[replica].caches.all()[kind].read_all()

    @rule(replica=REPLICAS, kind=KINDS, count=st.integers(1, 5))
    def a_replica_reads(self, replica: int, kind: int, count: int) -> None:
        self.replicas[replica].caches.all()[kind].read(count)

    @rule(replica=REPLICAS, kind=KINDS)
    def a_replica_lists_again(self, replica: int, kind: int) -> None:
        self.replicas[replica].caches.all()[kind].list()

    @rule(replica=REPLICAS)
    def a_replica_is_restarted(self, replica: int) -> None:
        if self.reader.replica is self.replicas[replica]:
            self.reader.break_off()
        self.replicas[replica] = Replica(self.world)

    @rule(
        replica=REPLICAS,
        in_time=st.sampled_from([True, True, True, False]),
        count=st.sampled_from([0, 1, 2, 1000]),
    )
    def connect_and_read(self, replica: int, in_time: bool, count: int) -> None:
        self.reader.break_off()
        self._connect(self.replicas[replica], in_time=in_time)
        self.read(count)

    def _connect(self, replica: Replica, *, in_time: bool) -> None:
        reader, feed = self.reader, replica.feed
        for cache in replica.caches.all():
            while in_time and feed.is_behind(reader.token, replica.views.caches.versions()):
                version = cache.versions
                cache.read(1)
                if cache.versions == version:
                    break
        reader.replica, reader.watcher = replica, Watcher(reader.wanted, BUFFER)
        feed.watchers.append(reader.watcher)
        reader.unread = list(opening(replica.views, feed, reader.wanted, reader.token))
        token = parse_token(reader.token, 4)
        resynced = any(event.kind is EventKind.RESYNC for event in reader.unread)
        assert token is None or resynced or replica.has_got_to(token.newest)
        certain = token is None or resynced or replica.has_got_to(token.reached)
        reader.blurred = None if certain or token is None else token.reached

    @rule(count=st.sampled_from([1, 2, 1000]))
    def read(self, count: int) -> None:
        reader = self.reader
        while count and reader.watcher and (reader.unread or not reader.watcher.idle):
            self._read_one()
            count -= 1

    def _read_one(self) -> None:
        reader = self.reader
        if reader.watcher is None or reader.replica is None:
            return
        if not reader.unread:
            reader.unread = list(reader.watcher.take())
            if reader.watcher.missed:
                reader.watcher.begin()
                views, feed = reader.replica.views, reader.replica.feed
                reader.unread = list(resync(views, feed, reader.wanted, reader.token))
        if reader.unread:
            reader.read(reader.unread.pop(0))

    @invariant()
    def a_reader_who_has_read_all_knows_what_its_replica_shows(self) -> None:
        reader = self.reader
        if reader.watcher is None or reader.unread or not reader.watcher.idle:
            return
        assert reader.replica is not None
        if reader.blurred and not reader.replica.has_got_to(reader.blurred):
            return  # it knows of more than this replica does, and will be told again
        assert reader.fresh is None
        assert reader.known == reader.replica.shown(reader.wanted)

    def teardown(self) -> None:
        if not hasattr(self, "reader"):
            return
        for replica in self.replicas:
            for cache in replica.caches.all():
                cache.read_all()
        for replica in self.replicas:
            if self.reader.replica is None:
                self._connect(replica, in_time=True)
            self.read(1000)
            self.a_reader_who_has_read_all_knows_what_its_replica_shows()
            self.reader.break_off()


WatchMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50)
TestWatch = WatchMachine.TestCase


def name(view: PerformerView) -> str:
    return str(view.manifest["metadata"]["name"])


def state(view: PerformerView) -> tuple[str, tuple[Endpoint, ...]]:
    return view.manifest["metadata"]["resourceVersion"], view.endpoints
