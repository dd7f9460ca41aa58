"""``hourglass performer status | watch`` and ``--wait``: what goes on, and how it ended."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hourglass_services.control.port import EventKind, Filter, PerformerView, WatchEvent

from tests.support.command_line import Ran, run_line
from tests.support.played_cluster import Cluster, events
from tests.support.played_control import PlayedControl
from tests.support.shown_performers import ready, stalled, view


def performer(cluster: PlayedControl, *arguments: str) -> Ran:
    return run_line(cluster, "performer", *arguments)


@pytest.mark.parametrize(
    ("shown", "status", "words"),
    [
        (ready(), 0, "is Ready (InstancesReady: 2 of 2)"),
        (stalled(), 1, "has failed (ImagePullFailed: no such image)"),
        (view(), 124, "is not Ready yet (AwaitingPromotion: promote it by hand)"),
        (view(generation=4), 124, "is not Ready yet (Pending: the operator has not looked"),
    ],
)
def test_the_status_is_told_by_the_exit_code(shown: PerformerView, status: int, words: str) -> None:
    ran = performer(Cluster(shown=shown), "status", "squares")
    assert ran.status == status
    assert ran.out.startswith(f"performer/squares {words}")


@pytest.mark.parametrize(("last", "status"), [(ready(), 0), (stalled(), 1)])
def test_waiting_goes_on_until_it_is_ready_or_can_not_be(last: PerformerView, status: int) -> None:
    cluster = Cluster(scripts=[events(view(generation=4), view(), last)])
    ran = performer(cluster, "status", "squares", "--wait", "--timeout=5s")
    assert ran.status == status
    states = [line.partition(": ")[2].partition(":")[0] for line in ran.err.splitlines()]
    assert states[:2] == ["Pending", "AwaitingPromotion"]
    assert len(states) == 3


def test_waiting_that_takes_too_long_is_exit_code_124_with_what_it_waits_for() -> None:
    class Still(Cluster):
        async def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
            for event in events(view()):
                assert isinstance(event, WatchEvent)
                yield event
            await asyncio.Event().wait()

    ran = performer(Still(), "status", "squares", "--wait", "--timeout=50ms")
    assert ran.status == 124
    assert "still waiting after 0.05s: squares: AwaitingPromotion" in ran.err
    assert "hourglass performer explain squares" in ran.err


def test_waiting_for_a_performer_that_goes_away_is_an_error() -> None:
    gone = WatchEvent(EventKind.DELETED, view(), "3")
    cluster = Cluster(scripts=[[*events(view()), gone]])
    ran = performer(cluster, "status", "squares", "--wait")
    assert ran.status == 1
    assert "has been deleted" in ran.err


def test_promote_waits_where_it_is_told_to() -> None:
    cluster = Cluster(scripts=[events(view(), ready())])
    ran = performer(cluster, "promote", "squares", "--wait")
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "performer/squares is Ready (InstancesReady: 2 of 2)"


def test_a_live_tree_is_drawn_again_when_something_changed() -> None:
    cluster = Cluster(scripts=[events(view(), stalled())])
    ran = performer(cluster, "get", "-w")
    assert "x performer/squares" in ran.out
    assert "not known here" in ran.out
    assert "\x1b" not in ran.out


def test_watched_events_are_lines_or_documents() -> None:
    cluster = Cluster(scripts=[events(view(), ready()) for _ in range(3)])
    lines = performer(cluster, "watch").out.splitlines()
    assert [line.split()[0] for line in lines] == ["EVENT", "ADDED", "MODIFIED"]
    documents = performer(cluster, "watch", "-ojson").out.splitlines()
    assert [json.loads(each)["type"] for each in documents] == ["ADDED", "MODIFIED"]
    names = performer(cluster, "get", "-w", "-oname").out.splitlines()
    assert names == ["added performer/squares", "modified performer/squares"]
