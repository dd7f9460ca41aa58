import pytest
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import (
    CallEnded,
    CallNotMade,
    Connect,
    ConnectionChanged,
    Disconnect,
    EndpointsChanged,
    PerformerDrained,
    PerformerRemoved,
    Reject,
    Send,
    TaskArrived,
    Wait,
    key_of,
)
from hourglass_executor.routing.policy import (
    CALLER_FAULTS,
    DEFAULT_TRIPS,
    NOTHING_LEARNED,
    RouterPolicy,
)
from hourglass_executor.routing.skip import SkipReason

from tests.support.routing import AVS, PERFORMER, RouterOnVirtualTime, instance

NOBODYS_FAULT = sorted(CALLER_FAULTS | NOTHING_LEARNED, key=lambda code: code.value)
ABOUT_THE_REQUEST = sorted(CALLER_FAULTS, key=lambda code: code.value)
TRIPS = sorted(DEFAULT_TRIPS, key=lambda code: code.value)


def sent(effects: object) -> list[Send]:
    assert isinstance(effects, list | tuple)
    return [effect for effect in effects if isinstance(effect, Send)]


# -- the breaker within the router


def test_an_instance_that_fails_is_skipped_while_another_serves() -> None:
    r = RouterOnVirtualTime()
    a, _ = r.serve("a", "b")
    while r.view("a").breaker == "Closed":
        call = r.send()
        r.end(call, Code.UNAVAILABLE if call.endpoint == a else None)
    assert r.view("a").skipped is SkipReason.BREAKER_OPEN
    assert {r.send().endpoint.instance for _ in range(20)} == {"b"}


def test_after_its_wait_an_ejected_instance_gets_one_probe() -> None:
    r = RouterOnVirtualTime()
    a, _ = r.serve("a", "b")
    while r.view("a").breaker == "Closed":
        call = r.send()
        r.end(call, Code.UNAVAILABLE if call.endpoint == a else None)
    r.now += 1
    probe = r.send()
    assert probe.endpoint == a
    assert {r.send().endpoint.instance for _ in range(20)} == {"b"}
    assert r.view("a").skipped is SkipReason.PROBE_IN_FLIGHT
    r.end(probe)
    assert r.view("a").breaker == "Closed"


@pytest.mark.parametrize("code", NOBODYS_FAULT)
def test_what_is_no_fault_of_the_performer_never_trips(code: Code) -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    for _ in range(200):
        r.end(r.send(), code)
    assert {r.view("a").breaker, r.view("b").breaker} == {"Closed"}


@pytest.mark.parametrize("code", TRIPS)
def test_what_trips_trips(code: Code) -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    for _ in range(10):
        r.end(r.send(), code)
    assert {r.view("a").breaker, r.view("b").breaker} == {"Closed", "Open"}


def test_what_trips_can_be_chosen_but_not_a_fault_of_the_caller() -> None:
    r = RouterOnVirtualTime(RouterPolicy(trips=frozenset({Code.INTERNAL})))
    r.serve("a", "b")
    for _ in range(50):
        r.end(r.send(), Code.UNAVAILABLE)
    assert {r.view("a").breaker, r.view("b").breaker} == {"Closed"}
    with pytest.raises(ValueError, match="INVALID_ARGUMENT can not trip"):
        RouterPolicy(trips=frozenset({Code.INVALID_ARGUMENT}))


def test_an_ejected_instance_is_taken_back_when_it_is_the_last_one_left() -> None:
    r = RouterOnVirtualTime(RouterPolicy(breaker=BreakerPolicy(trip_after=1)))
    a, b = r.serve("a", "b")
    call = r.send()
    r.end(call, Code.UNAVAILABLE)
    other = b if call.endpoint == a else a
    assert r.view(call.endpoint.instance).breaker == "Open"
    r.handle(ConnectionChanged(key_of(other), connected=False))
    assert r.send().endpoint == call.endpoint


def test_a_call_that_was_not_made_says_nothing_and_frees_its_place() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1, breaker=BreakerPolicy(trip_after=1)))
    r.serve("a", "b")
    call = r.send()
    r.handle(CallNotMade(call.permit))
    assert r.view(call.endpoint.instance).in_flight == 0
    assert r.view(call.endpoint.instance).breaker == "Closed"


# -- sets that change


def test_an_instance_that_left_is_disconnected_when_its_last_call_has_ended() -> None:
    r = RouterOnVirtualTime()
    (a,) = r.serve("a")
    first, second = r.send(), r.send()
    assert r.handle(EndpointsChanged(AVS, PERFORMER, ())) == []
    assert r.router.in_flight(PERFORMER) == 2
    assert r.end(first) == ()
    assert r.end(second) == (Disconnect(key_of(a)),)
    assert r.router.views(r.now) == ()


def test_an_idle_instance_that_left_is_disconnected_at_once() -> None:
    r = RouterOnVirtualTime()
    (a,) = r.serve("a")
    assert r.handle(EndpointsChanged(AVS, PERFORMER, ())) == [Disconnect(key_of(a))]


def test_an_instance_that_comes_back_before_it_was_disconnected_is_kept() -> None:
    r = RouterOnVirtualTime()
    (a,) = r.serve("a")
    call = r.send()
    r.set()
    assert r.handle(EndpointsChanged(AVS, PERFORMER, (a,))) == []
    assert r.send().endpoint == a
    assert r.end(call) == ()


def test_an_instance_with_a_new_address_is_another_endpoint() -> None:
    r = RouterOnVirtualTime()
    (a,) = r.serve("a")
    moved = instance("a", ready=True)
    moved = type(moved)(
        performer_id=PERFORMER, revision="r1", instance="a", address="elsewhere:9090"
    )
    effects = r.handle(EndpointsChanged(AVS, PERFORMER, (moved,)))
    assert effects == [Disconnect(key_of(a)), Connect(moved)]


def test_removing_the_last_performer_refuses_what_waits_for_it() -> None:
    r = RouterOnVirtualTime()
    r.set(instance("a"))
    waiting = r.task()
    effects = r.handle(PerformerRemoved(PERFORMER))
    rejected = [e for e in effects if isinstance(e, Reject)]
    assert [e.ticket for e in rejected] == [waiting.ticket]
    assert rejected[0].error.code is Code.NOT_FOUND
    assert not r.router.knows(AVS)


def test_a_permit_handed_back_twice_counts_once() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    first, _second = r.send(), r.send()
    r.end(first)
    r.end(first)
    assert r.view("a").in_flight == 1


def test_a_drain_tells_what_is_left_and_until_when() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    soon, late = r.task(seconds=5), r.task(seconds=50)
    assert isinstance(soon, Send)
    assert isinstance(late, Send)
    r.handle(PerformerDrained(PERFORMER))
    (report,) = r.router.drain_reports(PERFORMER)
    assert (report.revision, report.in_flight) == ("r1", 2)
    assert report.latest_deadline == r.now + 50
    r.handle(CallEnded(late.permit, Code.UNAVAILABLE, lost=True))
    r.end(soon)
    (report,) = r.router.drain_reports(PERFORMER)
    assert (report.in_flight, report.latest_deadline, report.lost) == (0, None, 1)


def test_a_performer_deployed_again_after_its_removal_is_not_drained_any_more() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    r.handle(PerformerDrained(PERFORMER))
    assert isinstance(r.task(), Wait)
    r.handle(PerformerRemoved(PERFORMER))
    r.serve("a")
    assert isinstance(r.task(), Send)


def test_a_task_does_not_overtake_one_that_waits_when_a_probe_falls_due() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1, breaker=BreakerPolicy(trip_after=1)))
    r.serve("a", "b")
    failing = r.send()
    r.end(failing, Code.UNAVAILABLE)
    r.send()
    waiting = r.task()
    assert isinstance(waiting, Wait)
    r.now += 1
    effects = r.handle(TaskArrived(900, AVS, r.now + 1))
    assert [send.ticket for send in sent(list(effects))] == [waiting.ticket]


@pytest.mark.parametrize("code", ABOUT_THE_REQUEST)
def test_an_answer_about_the_request_is_proof_of_life_for_a_probe(code: Code) -> None:
    r = RouterOnVirtualTime(RouterPolicy(breaker=BreakerPolicy(trip_after=1)))
    r.serve("a", "b")
    failing = r.send()
    r.end(failing, Code.UNAVAILABLE)
    r.now += 1
    probe = r.send()
    assert probe.endpoint == failing.endpoint
    r.end(probe, code)
    assert r.view(probe.endpoint.instance).breaker == "Closed"
