import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import (
    CallEnded,
    CallNotMade,
    Connect,
    ConnectionChanged,
    Disconnect,
    EndpointsChanged,
    Event,
    HealthChanged,
    PerformerDrained,
    PerformerRemoved,
    Reject,
    Send,
    TaskArrived,
    TaskWithdrawn,
    Tick,
    Wait,
    key_of,
)
from hourglass_executor.routing.health import Health
from hourglass_executor.routing.policy import (
    CALLER_FAULTS,
    DEFAULT_TRIPS,
    NOTHING_LEARNED,
    RouterPolicy,
    WhenNoneReady,
)
from hourglass_executor.routing.skip import SkipReason

from tests.support.routing import AVS, NOT_SERVING, PERFORMER, RouterOnVirtualTime, instance

NOBODYS_FAULT = sorted(CALLER_FAULTS | NOTHING_LEARNED, key=lambda code: code.value)
ABOUT_THE_REQUEST = sorted(CALLER_FAULTS, key=lambda code: code.value)
TRIPS = sorted(DEFAULT_TRIPS, key=lambda code: code.value)


def sent(effects: object) -> list[Send]:
    assert isinstance(effects, list | tuple)
    return [effect for effect in effects if isinstance(effect, Send)]


# -- where a task goes


def test_an_unknown_avs_is_refused_with_the_text_that_clients_know() -> None:
    answer = RouterOnVirtualTime().task(avs="0xbeef")
    assert isinstance(answer, Reject)
    assert answer.error.code is Code.NOT_FOUND
    assert str(answer.error) == "AVS performer not found for address 0xbeef"


def test_the_least_loaded_instance_is_chosen() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b", "c")
    assert {r.send().endpoint.instance for _ in range(3)} == {"a", "b", "c"}


def test_among_equally_loaded_ones_the_faster_is_chosen() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    first, second = r.send(), r.send()
    r.now += 0.1
    r.end(first)
    r.now += 0.4
    r.end(second)
    assert r.send().endpoint == first.endpoint


def test_a_slow_past_fades() -> None:
    r = RouterOnVirtualTime(RouterPolicy(latency_half_life=10))
    r.serve("a", "b")
    slow, fast = r.send(), r.send()
    r.now += 0.1
    r.end(fast)
    r.now += 1
    r.end(slow)
    again = r.send()
    assert again.endpoint == fast.endpoint
    r.now += 0.5
    r.end(again)
    r.now += 60
    fresh = r.send()
    r.now += 1
    r.end(fresh)
    assert r.send().endpoint == slow.endpoint


def test_chance_decides_between_equals() -> None:
    chosen = set()
    for u in (0.0, 0.5, 0.99):
        r = RouterOnVirtualTime(u=u)
        r.serve("a", "b", "c")
        chosen.add(r.send().endpoint.instance)
    assert chosen == {"a", "b", "c"}


def test_instances_of_two_performers_of_an_avs_share_its_tasks() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    other = instance("b", performer_id="other")
    r.set(other, performer_id="other")
    r.up(other)
    assert {r.send().endpoint.instance for _ in range(2)} == {"a", "b"}


def test_an_attempt_avoids_where_it_failed_unless_there_is_nothing_else() -> None:
    r = RouterOnVirtualTime()
    a, b = r.serve("a", "b")
    avoid = frozenset({key_of(a)})
    for ticket in range(1000, 1000 + r.policy.concurrency):
        (answer,) = r.handle(TaskArrived(ticket, AVS, r.now + 1, avoid))
        assert isinstance(answer, Send)
        assert answer.endpoint == b
    (answer,) = r.handle(TaskArrived(2000, AVS, r.now + 1, avoid))
    assert isinstance(answer, Send)
    assert answer.endpoint == a


# -- who takes tasks


@pytest.mark.parametrize(
    ("role", "reason"),
    [(Role.STAGED, SkipReason.STAGED), (Role.DRAINING, SkipReason.DRAINING)],
)
def test_only_an_instance_in_service_takes_tasks(role: Role, reason: SkipReason) -> None:
    r = RouterOnVirtualTime()
    other = instance("b", role=role)
    r.set(instance("a"), other)
    r.up(instance("a"), other)
    assert {r.send().endpoint.instance for _ in range(10)} == {"a"}
    assert r.view("b").skipped is reason
    assert r.view("b").connected, "ready for the switch"


def test_promotion_is_one_switch() -> None:
    r = RouterOnVirtualTime()
    r.set(instance("old"), instance("new", role=Role.STAGED))
    r.up(instance("old"), instance("new", role=Role.STAGED))
    held = r.send()
    r.set(instance("old", role=Role.DRAINING), instance("new"))
    assert {r.send().endpoint.instance for _ in range(5)} == {"new"}
    assert r.view("old").in_flight == 1
    r.end(held)
    assert r.view("old").in_flight == 0


def test_a_retired_instance_is_not_connected() -> None:
    r = RouterOnVirtualTime()
    assert r.handle(EndpointsChanged(AVS, PERFORMER, (instance("a", role=Role.RETIRED),))) == []


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (EndpointsChanged(AVS, PERFORMER, (instance("a", ready=False),)), SkipReason.NOT_READY),
        (ConnectionChanged(key_of(instance("a")), connected=False), SkipReason.NOT_CONNECTED),
        (HealthChanged(key_of(instance("a")), Health()), SkipReason.HEALTH_UNKNOWN),
        (HealthChanged(key_of(instance("a")), NOT_SERVING), SkipReason.NOT_SERVING),
        (HealthChanged(key_of(instance("a")), Health(unhealthy=True)), SkipReason.UNHEALTHY),
        (PerformerDrained(PERFORMER), SkipReason.DRAINING),
    ],
)
def test_each_reason_not_to_use_an_instance_is_told(event: Event, reason: SkipReason) -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    assert r.router.is_usable(PERFORMER)
    r.handle(event)
    assert r.view("a").skipped is reason
    assert not r.router.is_usable(PERFORMER)
    assert isinstance(r.task(), Wait)


# -- waiting


def test_a_task_waits_for_the_first_serving() -> None:
    r = RouterOnVirtualTime()
    a = instance("a")
    r.set(a)
    assert isinstance(r.task(), Wait)
    assert r.handle(ConnectionChanged(key_of(a), connected=True)) == []
    effects = r.handle(HealthChanged(key_of(a), Health(answer=None)))
    assert effects == []
    r.up(a)
    assert r.view("a").in_flight == 1


def test_waiting_tasks_are_served_first_come_first_served() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1))
    r.serve("a")
    first = r.send()
    second, third = r.task(), r.task()
    assert isinstance(second, Wait)
    assert isinstance(third, Wait)
    (next_one,) = sent(r.end(first))
    assert next_one.ticket == second.ticket
    (last,) = sent(r.end(next_one))
    assert last.ticket == third.ticket


def test_an_instance_is_given_no_more_calls_than_its_concurrency() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=64))
    r.serve("a")
    for _ in range(64):
        assert r.router.takes_tasks(AVS, r.now)
        r.send()
    assert not r.router.takes_tasks(AVS, r.now)
    assert isinstance(r.task(), Wait)
    assert r.view("a").skipped is SkipReason.AT_CAPACITY


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1, queue=2))
    r.serve("a")
    r.send()
    assert isinstance(r.task(), Wait)
    assert isinstance(r.task(), Wait)
    answer = r.task()
    assert isinstance(answer, Reject)
    assert answer.error.code is Code.RESOURCE_EXHAUSTED
    assert answer.error.retry_after is not None
    assert 0.1 <= answer.error.retry_after <= 30


def test_one_avs_does_not_fill_the_queue_of_another() -> None:
    r = RouterOnVirtualTime(RouterPolicy(queue=1))
    r.set(instance("a"))
    r.set(instance("b", performer_id="other"), avs="0xb", performer_id="other")
    assert isinstance(r.task(), Wait)
    assert isinstance(r.task(), Reject)
    assert isinstance(r.task(avs="0xb"), Wait)


def test_a_waiting_task_is_refused_when_its_time_has_come() -> None:
    r = RouterOnVirtualTime()
    r.set(instance("a"))
    waiting = r.task(seconds=10)
    assert r.router.next_wakeup() == r.now + 10
    r.now += 10
    (answer,) = r.handle(Tick())
    assert isinstance(answer, Reject)
    assert answer.ticket == waiting.ticket
    assert answer.error.code is Code.DEADLINE_EXCEEDED
    assert "a NotConnected" in str(answer.error)
    assert r.router.next_wakeup() == float("inf")


def test_a_task_that_arrives_too_late_is_refused() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    answer = r.task(seconds=0)
    assert isinstance(answer, Reject)
    assert answer.error.code is Code.DEADLINE_EXCEEDED


def test_a_withdrawn_task_is_forgotten() -> None:
    r = RouterOnVirtualTime()
    r.set(instance("a"))
    waiting = r.task()
    r.handle(TaskWithdrawn(waiting.ticket))
    r.up(instance("a"))
    assert r.view("a").in_flight == 0


def test_where_none_is_ready_and_that_is_said_to_fail_it_fails() -> None:
    r = RouterOnVirtualTime(RouterPolicy(when_none_ready=WhenNoneReady.FAIL, concurrency=1))
    (a,) = r.serve("a")
    r.send()
    assert isinstance(r.task(), Wait), "busy is not absent"
    r.handle(HealthChanged(key_of(a), NOT_SERVING))
    answer = r.task()
    assert isinstance(answer, Reject)
    assert answer.error.code is Code.UNAVAILABLE
    assert answer.error.retry_after == 1.0
    assert "a NotServing" in str(answer.error)


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
