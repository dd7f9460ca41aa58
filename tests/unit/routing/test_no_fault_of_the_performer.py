"""What must never take an instance out of rotation, however often it happens (E9, E16)."""

import pytest
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.events import CallEnded
from hourglass_executor.routing.policy import CALLER_FAULTS, NOTHING_LEARNED

from tests.support.routing import RouterOnVirtualTime

NO_FAULTS = sorted(CALLER_FAULTS | NOTHING_LEARNED, key=lambda code: code.value)


@pytest.mark.parametrize("code", NO_FAULTS, ids=lambda code: code.value)
def test_thousands_of_faults_of_callers_eject_nobody(code: Code) -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    for _ in range(10_000 // len(NO_FAULTS) + 1):
        r.end(r.send(), code)
    assert {r.view(name).breaker for name in "ab"} == {"Closed"}
    assert {r.send().endpoint.instance for _ in range(20)} == {"a", "b"}


def test_calls_that_ended_while_the_executor_stood_still_eject_nobody() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    held = [r.send() for _ in range(40)]
    r.now += 3600
    for send in held:
        r.handle(CallEnded(send.permit, Code.DEADLINE_EXCEEDED, lost=True, excused=True))
    assert {r.view(name).breaker for name in "ab"} == {"Closed"}


def test_the_same_calls_without_an_excuse_do() -> None:
    r = RouterOnVirtualTime()
    r.serve("a", "b")
    held = [r.send() for _ in range(40)]
    for send in held:
        r.handle(CallEnded(send.permit, Code.DEADLINE_EXCEEDED, lost=True))
    assert {r.view(name).breaker for name in "ab"} == {"Closed", "Open"}
