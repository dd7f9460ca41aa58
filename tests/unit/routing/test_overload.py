"""More tasks than the instances take: who waits, who is refused, and when to come back."""

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.routing.events import HealthChanged, Reject, Send, TaskArrived, Wait, key_of
from hourglass_executor.routing.policy import RouterPolicy, WhenNoneReady

from tests.support.routing import AVS, NOT_SERVING, RouterOnVirtualTime


def busy(r: RouterOnVirtualTime, *, seconds: float) -> Send:
    """Serve with one instance that takes ``seconds`` for a task, and is at work on one."""
    r.serve("a")
    call = r.send()
    r.now += seconds
    r.end(call)
    return r.send()


def refusal(
    r: RouterOnVirtualTime, *, seconds: float = 60.0, held: int = 0
) -> HourglassError | None:
    return r.router.refusal(AVS, r.now + seconds, r.now, held)


def test_a_task_whose_turn_would_come_too_late_is_refused_at_once() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1))
    busy(r, seconds=2)
    for _ in range(3):
        assert isinstance(r.task(), Wait)
    answer = r.task(seconds=9)  # it would begin in eight seconds, and need two
    assert isinstance(answer, Reject)
    assert answer.error.code is Code.RESOURCE_EXHAUSTED
    assert answer.error.reason == "TASK_QUEUE_TOO_LONG"
    assert answer.error.retry_after == 8.0
    assert isinstance(r.task(seconds=10), Wait)


def test_where_nothing_is_known_of_the_time_a_task_takes_it_may_wait() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1))
    r.serve("a")
    r.send()
    assert isinstance(r.task(seconds=0.01), Wait)


def test_a_task_is_refused_before_it_arrives_for_the_reason_that_it_would_be_then() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1, queue=2))
    assert (found := refusal(r)) is not None
    assert found.code is Code.NOT_FOUND
    busy(r, seconds=2)
    assert refusal(r) is None
    assert (found := refusal(r, seconds=3)) is not None
    assert found.reason == "TASK_QUEUE_TOO_LONG"
    r.task()
    r.task()
    assert (found := refusal(r)) is not None
    assert found.reason == "TASK_QUEUE_FULL"
    assert found.retry_after == 4.0


def test_tasks_that_are_about_to_arrive_take_their_places_in_the_queue() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=2, queue=3))
    r.serve("a", "b")
    assert refusal(r, held=6) is None
    assert (found := refusal(r, held=7)) is not None
    assert found.reason == "TASK_QUEUE_FULL"


def test_a_busy_instance_is_not_an_absent_one() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1, when_none_ready=WhenNoneReady.FAIL))
    (a,) = r.serve("a")
    r.send()
    assert refusal(r) is None
    r.handle(HealthChanged(key_of(a), NOT_SERVING))
    assert (found := refusal(r)) is not None
    assert found.reason == "NO_PERFORMER_READY"


def test_a_place_that_falls_free_goes_to_the_one_who_waits_the_longest() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1))
    running = busy(r, seconds=0.1)
    first = r.task()
    r.task()
    sent = [effect for effect in r.end(running) if isinstance(effect, Send)]
    assert [effect.ticket for effect in sent] == [first.ticket]
    late = r.handle(TaskArrived(999, AVS, r.now + 10))
    assert isinstance(late[-1], Wait)


def test_a_task_that_waits_for_busy_instances_alone_has_a_time_to_look_again() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1))
    r.serve("a")
    r.send()
    r.task(seconds=7)
    assert r.router.next_wakeup() == r.now + 7
