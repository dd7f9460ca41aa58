import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.events import (
    ConnectionChanged,
    EndpointsChanged,
    Event,
    HealthChanged,
    PerformerDrained,
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
    DEFAULT_TRIPS,
    RouterPolicy,
    WhenNoneReady,
)
from hourglass_executor.routing.skip import SkipReason

from tests.support.routing import AVS, NOT_SERVING, PERFORMER, RouterOnVirtualTime, instance

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
