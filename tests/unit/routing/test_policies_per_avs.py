"""Each AVS by its own settings, whatever those of another are."""

from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import EndpointsChanged, Reject, Send, Wait, key_of
from hourglass_executor.routing.policy import RouterPolicy, WhenNoneReady
from hourglass_executor.routing.router import Router
from hourglass_executor.routing.skip import SkipReason

from tests.support.routing import PERFORMER, RouterOnVirtualTime, instance

OTHER = "0xb"


def two_avss(own: RouterPolicy) -> RouterOnVirtualTime:
    """Return a router whose first AVS has the defaults and whose other one has ``own``."""
    r = RouterOnVirtualTime()
    r.router = Router(r.policy, {OTHER: own})
    r.serve("a", "b")
    endpoints = [instance(name, performer_id="other") for name in ("c", "d")]
    r.set(*endpoints, avs=OTHER, performer_id="other")
    r.up(*endpoints)
    return r


def send(r: RouterOnVirtualTime, avs: str) -> Send:
    answer = r.task(avs=avs)
    assert isinstance(answer, Send), answer
    return answer


def breakers(r: RouterOnVirtualTime) -> set[tuple[str, str]]:
    return {(view.avs, view.breaker) for view in r.router.views(r.now)}


def test_the_failures_that_it_takes_are_its_own() -> None:
    r = two_avss(RouterPolicy(breaker=BreakerPolicy(trip_after=2)))
    for _ in range(4):
        r.end(send(r, "0xa"), Code.UNAVAILABLE)
        r.end(send(r, OTHER), Code.UNAVAILABLE)
    assert breakers(r) == {("0xa", "Closed"), (OTHER, "Closed"), (OTHER, "Open")}


def test_the_codes_that_trip_are_its_own() -> None:
    r = two_avss(RouterPolicy(trips=frozenset({Code.INTERNAL})))
    for _ in range(10):
        r.end(send(r, "0xa"), Code.UNAVAILABLE)
        r.end(send(r, OTHER), Code.UNAVAILABLE)
    assert breakers(r) == {("0xa", "Closed"), ("0xa", "Open"), (OTHER, "Closed")}


def test_the_concurrency_and_the_queue_are_its_own() -> None:
    r = two_avss(RouterPolicy(concurrency=1, queue=1))
    kinds = [type(r.task(avs=OTHER)) for _ in range(4)]
    assert kinds == [Send, Send, Wait, Reject]
    assert [type(r.task()) for _ in range(4)] == [Send] * 4
    skipped = {v.skipped for v in r.router.views(r.now) if v.avs == OTHER}
    assert skipped == {SkipReason.AT_CAPACITY}


def test_what_happens_where_none_is_ready_is_its_own() -> None:
    r = two_avss(RouterPolicy(when_none_ready=WhenNoneReady.FAIL))
    r.set()
    r.set(avs=OTHER, performer_id="other")
    assert isinstance(r.task(), Wait)
    assert isinstance(r.task(avs=OTHER), Reject)


def test_a_performer_that_goes_over_to_another_avs_is_treated_as_that_ones() -> None:
    r = two_avss(RouterPolicy(concurrency=1))
    held = send(r, "0xa").endpoint
    r.handle(EndpointsChanged(OTHER, PERFORMER, (held,)))
    r.up(held)
    assert r.router.views(r.now)
    view = next(v for v in r.router.views(r.now) if v.address == key_of(held)[2])
    assert view.avs == OTHER
    assert view.skipped is SkipReason.AT_CAPACITY, "the call from before counts as well"
