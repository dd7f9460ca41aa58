"""What comes back to a watcher that was cut off, on one replica or another."""

import asyncio

from hourglass_common.kube.resources import ENDPOINT_SLICES, PERFORMERS, PODS
from hourglass_operator.control.feed import HISTORY, Watcher
from hourglass_operator.control.token import Token, parse_token
from hourglass_operator.control.views import Views
from hourglass_operator.control.watching import opening, resync, watch
from hourglass_services.control.port import Filter, WatchEvent

from tests.support.played_caches import (
    History,
    PlayedCaches,
    World,
    endpoint_slice,
    performer,
    pod,
)

ALL = Filter()


class Replica:
    def __init__(self, world: World, history: int = HISTORY) -> None:
        self.world = world
        self.caches = PlayedCaches.of(world)
        self.views = Views(self.caches.caches(), history=history)
        self.feed = self.views.synced()

    def read_all(self) -> None:
        for cache in self.caches.all():
            cache.read_all()

    def told(self, token: str, wanted: Filter = ALL) -> list[str]:
        return told(opening(self.views, self.feed, wanted, token))


def told(events: tuple[WatchEvent, ...]) -> list[str]:
    """Return the kinds and names of events."""
    return [
        event.kind.value
        if event.performer is None
        else f"{event.kind.value} {event.performer.manifest['metadata']['name']}"
        for event in events
    ]


def world_of(*names: str) -> World:
    world = World({kind.plural: History(kind) for kind in (PERFORMERS, ENDPOINT_SLICES, PODS)})
    for name in names:
        world.put("performers", ("ns", name), performer("0xa"))
    return world


def test_a_token_is_read_as_it_was_written_and_nothing_else_is() -> None:
    token = Token((1, 22, 30), (1, 22, 7))
    assert str(token) == "1.22.30-7"
    assert parse_token("1.22.30-7", 3) == token
    for text in ("", "1.2", "1.2.3.4", "1.x.3", "1.-2.3", "1.².3", "1. 2.3", "1.2-.3", "1.2.3-4-5"):
        assert parse_token(text, 3) is None
    assert parse_token("1." + "9" * 400, 2) is None


def test_what_changed_is_sent_once_as_it_is_now_and_its_end_resumes_after_it() -> None:
    world = world_of("p", "q")
    replica = Replica(world)
    token = replica.feed.token
    for _ in range(3):
        world.put("performers", ("ns", "p"), performer("0xa"))
    world.put("performers", ("ns", "r"), performer("0xa"))
    world.put("performers", ("ns", "p"), performer("0xa"))
    world.delete("performers", ("ns", "q"))
    replica.read_all()
    events = opening(replica.views, replica.feed, ALL, token)
    assert told(events) == ["ADDED r", "MODIFIED p", "DELETED q"]
    assert [event.resume_token for event in events] == ["", "", replica.feed.token]
    assert replica.told(replica.feed.token) == []


def test_what_came_and_went_in_between_is_not_told() -> None:
    world = world_of()
    replica = Replica(world)
    token = replica.feed.token
    world.put("performers", ("ns", "p"), performer("0xa"))
    world.delete("performers", ("ns", "p"))
    replica.read_all()
    assert replica.told(token) == []


def test_a_token_holds_on_a_replica_that_saw_the_kinds_in_another_order() -> None:
    world = world_of("p")
    one, two = Replica(world), Replica(world)
    world.put("pods", ("ns", "p-1"), pod("p", revision="r1", serving=True))
    world.put("endpointslices", ("ns", "p-slice"), endpoint_slice("p", ["p-1"]))
    one.caches.slices.read_all()  # shown without a revision
    token = one.feed.token
    two.caches.pods.read_all()  # shown nowhere yet
    two.caches.slices.read_all()
    assert two.told(token) == ["MODIFIED p"]
    assert two.told(two.feed.token) == []
    one.caches.pods.read_all()
    assert two.told(one.feed.token) == []


def test_a_token_that_the_history_has_forgotten_begins_anew() -> None:
    world = world_of("p")
    replica = Replica(world, history=2)
    tokens = []
    for _ in range(4):
        tokens.append(replica.feed.token)
        world.put("performers", ("ns", "p"), performer("0xa"))
        replica.read_all()
    assert replica.told(tokens[1]) == ["RESYNC", "ADDED p", "SNAPSHOT_DONE"]
    assert replica.told(tokens[2]) == ["MODIFIED p"]


def test_a_kind_that_changes_much_does_not_make_tokens_of_another_old() -> None:
    world = world_of("p")
    replica = Replica(world, history=2)
    for serving in (True, False, True, False):
        world.put("pods", ("ns", "p-1"), pod("p", revision="r1", serving=serving))
    replica.read_all()
    token = replica.feed.token
    world.put("performers", ("ns", "p"), performer("0xa"))
    replica.read_all()
    assert replica.told(token) == ["MODIFIED p"]


def test_a_token_from_inside_a_gap_that_a_list_jumped_over_begins_anew() -> None:
    world = world_of("p")
    one, two = Replica(world), Replica(world)
    world.put("performers", ("ns", "ghost"), performer("0xa"))
    one.read_all()
    token = one.feed.token
    world.delete("performers", ("ns", "ghost"))
    two.caches.performers.list()
    assert two.told(token) == ["RESYNC", "ADDED p", "SNAPSHOT_DONE"]


def test_a_replica_that_just_listed_gives_tokens_that_an_older_one_can_resume() -> None:
    world = world_of("p")
    older = Replica(world)
    world.version += 500  # other kinds live on: a list is newer than all that is in it
    restarted = Replica(world)
    token = restarted.feed.token
    assert not older.feed.is_behind(token, older.views.caches.versions())
    assert older.told(token) == []
    world.put("performers", ("ns", "p"), performer("0xa"))
    restarted.read_all()
    assert older.feed.is_behind(restarted.feed.token, older.views.caches.versions())
    older.read_all()
    assert older.told(token) == ["MODIFIED p"]


def test_a_replica_that_stays_behind_begins_anew() -> None:
    world = world_of("p")
    one, two = Replica(world), Replica(world)
    world.put("performers", ("ns", "p"), performer("0xa"))
    one.read_all()
    assert two.told(one.feed.token) == ["RESYNC", "ADDED p", "SNAPSHOT_DONE"]


def test_a_snapshot_instead_of_changes_names_the_deletions_that_are_known() -> None:
    world = world_of("p", "q", "other")
    replica = Replica(world, history=3)
    token = replica.feed.token
    world.delete("performers", ("ns", "q"))
    for _ in range(2):
        world.put("performers", ("ns", "p"), performer("0xa"))
    replica.read_all()
    wanted = Filter(namespace="ns")
    events = resync(replica.views, replica.feed, wanted, token)
    assert told(events) == ["RESYNC", "DELETED q", "ADDED other", "ADDED p", "SNAPSHOT_DONE"]
    later = resync(replica.views, replica.feed, wanted, replica.feed.token)
    assert "DELETED q" not in told(later)
    assert "DELETED q" in told(resync(replica.views, replica.feed, wanted, "not a token"))


def test_what_enters_or_leaves_the_filter_is_added_or_deleted() -> None:
    world = world_of("p")
    replica = Replica(world)
    wanted, token = Filter(avs="0xB"), replica.feed.token
    watcher = Watcher(wanted)
    replica.feed.watchers.append(watcher)
    for avs, kind in (("0xb", "ADDED p"), ("0xb", "MODIFIED p"), ("0xa", "DELETED p")):
        world.put("performers", ("ns", "p"), performer(avs))
        replica.read_all()
        assert told(watcher.take()) == [kind]
    assert replica.told(token, wanted) == []
    assert replica.told(token, Filter(avs="0xa")) == ["MODIFIED p"]


def test_an_instance_that_is_killed_outside_of_its_slices_is_missed_by_none() -> None:
    world = world_of("p")
    replica = Replica(world)
    world.put("pods", ("ns", "p-1"), pod("p", revision="r1", serving=True))
    world.put("endpointslices", ("ns", "p-slice"), endpoint_slice("p", ["p-1"]))
    replica.read_all()
    world.delete("endpointslices", ("ns", "p-slice"))
    replica.read_all()
    view = replica.views.view(("ns", "p"), replica.views.objects["ns", "p"])
    assert [endpoint.role.value for endpoint in view.endpoints] == ["Draining"]
    token = replica.feed.token
    world.delete("pods", ("ns", "p-1"))
    replica.read_all()
    assert replica.told(token) == ["MODIFIED p"]


def test_a_full_buffer_drops_all_of_it_and_says_so() -> None:
    world = world_of("p")
    replica = Replica(world)
    watcher = Watcher(ALL, 2)
    replica.feed.watchers.append(watcher)
    for _ in range(4):
        world.put("performers", ("ns", "p"), performer("0xa"))
    replica.read_all()
    assert watcher.missed
    assert watcher.take() == ()


def test_what_one_list_brought_has_its_token_at_the_end() -> None:
    world = world_of()
    replica = Replica(world)
    watcher = Watcher(ALL)
    replica.feed.watchers.append(watcher)
    for name in ("p", "q"):
        world.put("performers", ("ns", name), performer("0xa"))
    replica.caches.performers.list()
    world.put("performers", ("ns", "r"), performer("0xa"))
    replica.read_all()
    tokens = [event.resume_token for event in watcher.take()]
    assert tokens[0] == ""
    assert len(set(tokens)) == 3


async def test_a_replica_that_is_behind_a_token_lets_its_caches_catch_up_first() -> None:
    world = world_of("p", "q")
    one, two = Replica(world), Replica(world)
    world.put("performers", ("ns", "p"), performer("0xa"))
    one.read_all()
    stream = watch(two.views, ALL, one.feed.token)
    first = asyncio.ensure_future(anext(stream))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not first.done()
    world.put("performers", ("ns", "q"), performer("0xa"))
    two.read_all()
    async with asyncio.timeout(5):
        assert told((await first,)) == ["MODIFIED q"]
    await stream.aclose()  # type: ignore[attr-defined]
    assert two.feed.watchers == []


async def test_a_watcher_is_told_of_changes_as_they_come() -> None:
    replica = Replica(world_of("p"))
    stream = watch(replica.views, ALL, "")
    async with asyncio.timeout(5):
        assert told((await anext(stream), await anext(stream))) == ["ADDED p", "SNAPSHOT_DONE"]
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        replica.world.put("performers", ("ns", "p"), performer("0xa"))
        replica.read_all()
        assert told((await waiting,)) == ["MODIFIED p"]
    await stream.aclose()  # type: ignore[attr-defined]
