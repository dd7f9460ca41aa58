"""What the router tells of each instance's load while some of them drain."""

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.drain import InstanceLoad
from hourglass_executor.routing.events import CallEnded, PerformerDrained, PerformerRemoved

from tests.support.routing import PERFORMER, RouterOnVirtualTime, instance


def loads(r: RouterOnVirtualTime) -> dict[str, InstanceLoad]:
    return {
        one.instance: one
        for report in r.router.drain_reports(PERFORMER)
        for one in report.instances
    }


def test_each_instance_is_told_with_what_it_holds_and_whether_it_may_get_more() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    r.send()
    r.set(instance("a"), instance("b", role=Role.DRAINING), instance("c", role=Role.STAGED))
    found = loads(r)
    assert (found["a"].in_flight, found["a"].latest_deadline) == (1, r.now + 60)
    assert {name: one.in_service for name, one in found.items()} == {
        "a": True,
        "b": False,
        "c": False,
    }


def test_an_instance_that_left_its_set_drains_until_its_last_call_has_ended() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    call = r.send()
    r.set()
    assert loads(r)["a"] == InstanceLoad(instance="a", in_flight=1, latest_deadline=r.now + 60)
    assert r.view("a").role is Role.DRAINING
    r.end(call)
    assert loads(r) == {}


def test_one_that_comes_back_before_that_is_in_service_again() -> None:
    r = RouterOnVirtualTime()
    (endpoint,) = r.serve("a")
    r.send()
    r.set()
    r.set(endpoint)
    assert loads(r)["a"].in_service
    assert r.view("a").role is Role.IN_SERVICE


def test_a_performer_that_is_drained_as_a_whole_has_nobody_in_service() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    r.handle(PerformerDrained(PERFORMER))
    assert not any(one.in_service for one in loads(r).values())


def test_calls_lost_with_an_instance_are_told_after_it_is_gone() -> None:
    r = RouterOnVirtualTime()
    r.serve("a")
    call = r.send()
    r.set()
    r.handle(CallEnded(call.permit, Code.UNAVAILABLE, lost=True))
    (report,) = r.router.drain_reports(PERFORMER)
    assert (report.revision, report.lost, report.instances) == ("r1", 1, ())
    r.handle(PerformerRemoved(PERFORMER))
    assert r.router.drain_reports(PERFORMER) == ()
