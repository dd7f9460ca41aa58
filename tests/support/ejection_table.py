"""What becomes of small sets in which some instances fail every task; read off the router."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

from hourglass_common.domain.errors import Code
from hourglass_executor.routing.breaker import BreakerPolicy
from hourglass_executor.routing.policy import RouterPolicy

from tests.support.routing import RouterOnVirtualTime

SIZES = (1, 2, 3, 4)
PATTERNS = tuple(
    pattern for size in SIZES for pattern in combinations_with_replacement((True, False), size)
)


@dataclass(frozen=True, slots=True)
class Row:
    """``closed`` are the instances that stay in rotation, ``given`` those that then get tasks."""

    healthy: tuple[str, ...]
    failing: tuple[str, ...]
    closed: tuple[str, ...]
    given: tuple[str, ...]


def outcome(pattern: tuple[bool, ...]) -> Row:
    """Return what a hundred rounds of tasks make of a set, one instance for each of ``pattern``."""
    r = RouterOnVirtualTime(RouterPolicy(breaker=BreakerPolicy(trip_after=3)))
    names = tuple(f"i{number}" for number in range(len(pattern)))
    healthy = tuple(name for name, good in zip(names, pattern, strict=True) if good)
    r.serve(*names)
    for step in range(100):
        r.u = (step * 0.37) % 1
        calls = [r.send() for _ in names]
        for call in calls:
            r.end(call, None if call.endpoint.instance in healthy else Code.UNAVAILABLE)
    closed = tuple(name for name in names if r.view(name).breaker == "Closed")
    given = {r.send().endpoint.instance for _ in range(50)}
    return Row(
        healthy=healthy,
        failing=tuple(name for name in names if name not in healthy),
        closed=closed,
        given=tuple(name for name in names if name in given),
    )


def lines() -> Iterator[str]:
    """Return the table in Markdown."""
    yield "| Instances | Healthy | Fail every task | Ejected | Stay in | Get the tasks |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for pattern in PATTERNS:
        row = outcome(pattern)
        ejected = len(pattern) - len(row.closed)
        which = "the healthy" if set(row.given) <= set(row.healthy) else "one that fails"
        yield (
            f"| {len(pattern)} | {len(row.healthy)} | {len(row.failing)} | {ejected} "
            f"| {len(row.closed)} | {which} |"
        )
