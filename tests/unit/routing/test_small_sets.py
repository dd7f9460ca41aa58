"""The truth table of ejection for one to four instances.

Percentages mean nothing in sets this small; what must hold is said in words instead.
"""

from itertools import product

import pytest
from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.policy import RouterPolicy

from tests.support.routing import RouterOnVirtualTime

PATTERNS = [pattern for size in (1, 2, 3, 4) for pattern in product((True, False), repeat=size)]


def shown(pattern: tuple[bool, ...]) -> str:
    return "".join("+" if healthy else "-" for healthy in pattern)


@pytest.mark.parametrize("pattern", PATTERNS, ids=shown)
def test_which_instances_are_ejected(pattern: tuple[bool, ...]) -> None:
    r = RouterOnVirtualTime(RouterPolicy(breaker=BreakerPolicy(trip_after=3)))
    names = [f"i{number}" for number in range(len(pattern))]
    healthy = dict(zip(names, pattern, strict=True))
    r.serve(*names)
    for step in range(100):
        r.u = (step * 0.37) % 1
        calls = [r.send() for _ in names]
        for call in calls:
            r.end(call, None if healthy[call.endpoint.instance] else Code.UNAVAILABLE)
    closed = {name for name in names if r.view(name).breaker == "Closed"}
    if any(pattern):
        assert closed == {name for name in names if healthy[name]}
    else:
        assert len(closed) == 1, "all fail alike: one of them stays in"
    assert {r.send().endpoint.instance for _ in range(50)} <= closed
