"""What operators see of one endpoint."""

from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import CallEnded, CallNotMade
from hourglass_executor.routing.policy import RouterPolicy

from tests.support.routing import RouterOnVirtualTime


def test_every_call_that_was_sent_is_counted_by_how_it_ended() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    calls = [r.send() for _ in range(5)]
    r.end(calls[0])
    r.end(calls[1], Code.INVALID_ARGUMENT)
    r.handle(CallEnded(calls[2].permit, Code.UNAVAILABLE, lost=True))
    r.handle(CallNotMade(calls[3].permit))
    seen = r.view("a")
    assert (seen.sent, seen.answered, seen.failed, seen.lost, seen.in_flight) == (4, 1, 1, 1, 1)


def test_a_call_that_ends_twice_is_counted_once() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    call = r.send()
    r.end(call)
    r.end(call)
    r.handle(CallNotMade(call.permit))
    assert (r.view("a").sent, r.view("a").answered) == (1, 1)


def test_an_open_breaker_tells_how_long_it_stays_open() -> None:
    r = RouterOnVirtualTime(RouterPolicy(breaker=BreakerPolicy(trip_after=1)))
    r.serve("a", "b")
    failed = r.send()
    name = failed.endpoint.instance
    assert r.view(name).breaker_open_seconds == 0
    r.end(failed, Code.UNAVAILABLE)
    assert r.view(name).breaker_open_seconds == 1
    r.now += 0.75
    assert r.view(name).breaker_open_seconds == 0.25
    r.now += 10
    assert r.view(name).breaker_open_seconds == 0
