"""Instances that come and go: out at once, back at once, and ejected when they do it again."""

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import ConnectionChanged, HealthChanged, key_of
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.skip import SkipReason

from tests.support.routing import NOT_SERVING, SERVING, RouterOnVirtualTime


def stops_serving(r: RouterOnVirtualTime, endpoint: Endpoint) -> None:
    r.handle(HealthChanged(key_of(endpoint), NOT_SERVING))


def serves(r: RouterOnVirtualTime, endpoint: Endpoint) -> None:
    r.handle(HealthChanged(key_of(endpoint), SERVING))


def flap(r: RouterOnVirtualTime, endpoint: Endpoint, *, times: int, period: float = 0.2) -> None:
    for _ in range(times):
        stops_serving(r, endpoint)
        r.now += period / 2
        serves(r, endpoint)
        r.now += period / 2


def test_one_that_stops_serving_twice_is_back_at_once() -> None:
    r = RouterOnVirtualTime()
    a, _ = r.serve("a", "b")
    flap(r, a, times=2)
    assert r.view("a").skipped is None


def test_one_that_stops_serving_for_the_third_time_in_ten_seconds_is_ejected() -> None:
    r = RouterOnVirtualTime()
    a, _ = r.serve("a", "b")
    flap(r, a, times=3)
    assert r.view("a").skipped is SkipReason.BREAKER_OPEN
    assert {r.send().endpoint.instance for _ in range(20)} == {"b"}


def test_one_that_stops_serving_now_and_then_is_not_flapping() -> None:
    r = RouterOnVirtualTime()
    a, _ = r.serve("a", "b")
    flap(r, a, times=50, period=5.1)
    assert r.view("a").breaker == "Closed"


def test_a_process_that_comes_and_goes_is_ejected_too() -> None:
    r = RouterOnVirtualTime()
    a, _ = r.serve("a", "b")
    for _ in range(3):
        r.handle(ConnectionChanged(key_of(a), connected=False))
        r.up(a)
    assert r.view("a").skipped is SkipReason.BREAKER_OPEN


def test_the_more_it_flaps_the_longer_it_stays_out() -> None:
    """5 Hz for ten seconds, and what it got of the tasks in the ten seconds after."""
    r = RouterOnVirtualTime()
    endpoints = r.serve("a", "b", "c", "d")
    taken = {"a": 0, "others": 0}
    for step in range(1, 1001):  # 20 s in steps of 20 ms, a task in each
        r.now += 0.02
        if step % 5 == 0:
            (serves if step % 10 == 0 else stops_serving)(r, endpoints[0])
        r.u = (step * 0.37) % 1
        call = r.send()
        r.end(call)
        if step > 500:
            taken["a" if call.endpoint == endpoints[0] else "others"] += 1
    assert taken["a"] <= 0.02 * sum(taken.values()), taken


def test_the_only_instance_is_used_whenever_it_serves_however_often_it_flaps() -> None:
    r = RouterOnVirtualTime()
    (a,) = r.serve("a")
    for _ in range(50):
        flap(r, a, times=1)
        assert r.view("a").skipped is None


def test_how_often_and_how_soon_is_a_setting() -> None:
    r = RouterOnVirtualTime(RouterPolicy(flaps=2, flap_window=1))
    a, _ = r.serve("a", "b")
    flap(r, a, times=2, period=1.1)
    assert r.view("a").breaker == "Closed"
    flap(r, a, times=2, period=0.4)
    assert r.view("a").breaker == "Open"


def test_a_new_process_behind_an_open_breaker_is_probed_at_once() -> None:
    r = RouterOnVirtualTime(RouterPolicy(breaker=BreakerPolicy(trip_after=1)))
    a, _ = r.serve("a", "b")
    while r.view("a").breaker == "Closed":
        call = r.send()
        r.end(call, Code.UNAVAILABLE if call.endpoint == a else None)
    r.handle(ConnectionChanged(key_of(a), connected=False))
    r.up(a)
    probe = r.send()
    assert probe.endpoint == a
    assert r.view("a").skipped is SkipReason.PROBE_IN_FLIGHT
