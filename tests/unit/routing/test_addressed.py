"""Tasks for the instances that their callers name: those, or none."""

import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Addressee
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.events import (
    HealthChanged,
    PerformerDrained,
    Reject,
    Send,
    Wait,
    key_of,
)
from hourglass_executor.routing.policy import RouterPolicy

from tests.support.routing import NOT_SERVING, RouterOnVirtualTime, instance

STAGED = Addressee(Role.STAGED)
OLD = instance("old")
NEW = instance("new", role=Role.STAGED)


def with_both(policy: RouterPolicy | None = None) -> RouterOnVirtualTime:
    router = RouterOnVirtualTime(policy or RouterPolicy())
    router.set(OLD, NEW)
    router.up(OLD, NEW)
    return router


def refused(answer: Send | Wait | Reject) -> tuple[Code, str, str]:
    assert isinstance(answer, Reject), answer
    return answer.error.code, answer.error.reason, answer.error.message


def test_a_staged_instance_takes_the_tasks_that_name_its_role_and_no_other() -> None:
    router = with_both()
    assert {router.send().endpoint.instance for _ in range(20)} == {"old"}
    for _ in range(5):
        answer = router.task(addressee=STAGED)
        assert isinstance(answer, Send)
        assert answer.endpoint.instance == "new"


def test_without_a_staged_instance_none_in_service_stands_in() -> None:
    router = RouterOnVirtualTime()
    router.serve("old")
    assert refused(router.task(addressee=STAGED))[:2] == (Code.NOT_FOUND, "NO_SUCH_INSTANCE")


def test_a_staged_instance_that_is_not_serving_is_named_and_not_used() -> None:
    router = with_both()
    router.handle(HealthChanged(key_of(NEW), NOT_SERVING))
    code, reason, message = refused(router.task(addressee=STAGED))
    assert (code, reason) == (Code.UNAVAILABLE, "ADDRESSEE_NOT_READY")
    assert "new NotServing" in message
    assert "old" not in message


@pytest.mark.parametrize(
    ("name", "role", "goes_to"),
    [
        ("b", Role.IN_SERVICE, "b"),
        ("a", Role.STAGED, None),  # it is there, in the other role
        ("c", Role.STAGED, "c"),
        ("c", Role.IN_SERVICE, None),
        ("nobody", Role.IN_SERVICE, None),
    ],
)
def test_a_named_instance_is_one_of_the_role(name: str, role: Role, goes_to: str | None) -> None:
    router = RouterOnVirtualTime()
    endpoints = [instance("a"), instance("b"), instance("c", role=Role.STAGED)]
    router.set(*endpoints)
    router.up(*endpoints)
    answer = router.task(addressee=Addressee(role, name))
    if goes_to is None:
        assert refused(answer)[0] is Code.NOT_FOUND
    else:
        assert isinstance(answer, Send)
        assert answer.endpoint.instance == goes_to


def test_an_open_breaker_refuses_until_its_probe_and_no_longer() -> None:
    router = with_both(RouterPolicy(breaker=BreakerPolicy(trip_after=2)))
    for _ in range(2):
        answer = router.task(addressee=STAGED)
        assert isinstance(answer, Send)
        router.end(answer, Code.UNAVAILABLE)
    assert "new BreakerOpen" in refused(router.task(addressee=STAGED))[2]
    router.now += 60
    probe = router.task(addressee=STAGED)
    assert isinstance(probe, Send)
    assert "new ProbeInFlight" in refused(router.task(addressee=STAGED))[2]
    router.end(probe)
    assert isinstance(router.task(addressee=STAGED), Send)


def test_one_that_must_wait_is_refused_and_holds_up_nobody() -> None:
    router = with_both(RouterPolicy(concurrency=1))
    held = router.send()
    assert isinstance(router.task(), Wait)
    here = Addressee(Role.IN_SERVICE, "old")
    assert "old AtCapacity" in refused(router.task(addressee=here))[2]
    effects = router.end(held)
    assert [type(each) for each in effects] == [Send]


def test_a_draining_instance_takes_no_task_by_name_either() -> None:
    router = RouterOnVirtualTime()
    router.serve("old")
    router.handle(PerformerDrained("performer"))
    here = Addressee(Role.IN_SERVICE, "old")
    assert "old Draining" in refused(router.task(addressee=here))[2]


def test_whether_it_would_be_refused_is_known_before_it_is_sent() -> None:
    router = with_both()
    assert router.router.refuses("0xa", STAGED, router.now) is None
    router.handle(HealthChanged(key_of(NEW), NOT_SERVING))
    error = router.router.refuses("0xa", STAGED, router.now)
    assert error is not None
    assert error.reason == "ADDRESSEE_NOT_READY"
    unknown = router.router.refuses("0xb", STAGED, router.now)
    assert unknown is not None
    assert unknown.code is Code.NOT_FOUND
