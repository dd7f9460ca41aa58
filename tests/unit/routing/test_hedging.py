"""A second attempt elsewhere at a task that is still out, as the router gives leave for it."""

import pytest
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.events import HedgeWanted, Send, key_of
from hourglass_executor.routing.hedging import HedgePolicy, RecentLatencies
from hourglass_executor.routing.policy import RouterPolicy

from tests.support.routing import AVS, RouterOnVirtualTime


def hedge(r: RouterOnVirtualTime, first: Send, *, seconds: float = 10) -> list[Send]:
    wanted = HedgeWanted(900, AVS, r.now + seconds, frozenset({key_of(first.endpoint)}))
    return [effect for effect in r.handle(wanted) if isinstance(effect, Send)]


def test_it_goes_to_another_instance() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    first = r.send()
    (second,) = hedge(r, first)
    assert second.endpoint != first.endpoint
    assert r.view(second.endpoint.instance).in_flight == 1


def test_it_is_not_sent_to_the_instance_that_has_the_first() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    assert hedge(r, r.send()) == []


def test_it_does_not_wait_and_does_not_overtake_tasks_that_do() -> None:
    r = RouterOnVirtualTime(RouterPolicy(concurrency=1))
    r.serve("a", "b")
    first, other = r.send(), r.send()
    assert hedge(r, first) == []
    r.task()
    assert r.router.waiting() == {AVS: 1}
    r.end(other)
    assert hedge(r, first) == []


def test_it_is_not_sent_when_the_time_of_the_task_is_over() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    assert hedge(r, r.send(), seconds=0) == []


def test_it_trips_a_breaker_as_any_call_does() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    first = r.send()
    for _ in range(5):
        (second,) = hedge(r, first)
        r.end(second, Code.UNAVAILABLE)
    assert {r.view("a").breaker, r.view("b").breaker} == {"Open", "Closed"}


# -- after how long


def latencies(*seconds: float) -> RecentLatencies:
    found = RecentLatencies()
    for each in seconds:
        found.add(each)
    return found


def test_a_fixed_delay_is_just_that() -> None:
    assert HedgePolicy(delay=0.2).after(latencies()) == 0.2


def test_without_a_policy_nothing_is_sent_twice() -> None:
    assert HedgePolicy().after(latencies(*[0.1] * 100)) is None


def test_a_percentile_needs_twenty_answers() -> None:
    policy = HedgePolicy(percentile=95)
    assert policy.after(latencies(*[0.1] * 19)) is None
    assert policy.after(latencies(*[0.1] * 20)) == 0.1


@pytest.mark.parametrize(("percentile", "seconds"), [(50, 0.5), (95, 0.95), (99, 0.99)])
def test_a_percentile_is_that_of_the_last_answers(percentile: int, seconds: float) -> None:
    found = latencies(*[9.0] * 500, *[n / 100 for n in range(1, 101)])
    assert HedgePolicy(percentile=percentile).after(found) == pytest.approx(seconds, abs=0.011)


@pytest.mark.parametrize("policy", [{"delay": 0.0}, {"percentile": 0}, {"percentile": 100}])
def test_a_delay_that_means_nothing_is_refused(policy: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="hedging needs"):
        HedgePolicy(**policy)


def test_a_delay_and_a_percentile_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="one of"):
        HedgePolicy(delay=0.1, percentile=95)
