"""The operator is killed at each of its writes: the rollout ends as if nothing had happened."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.control_plane import ControlPlane
from tests.support.kill_runs import WITHIN_SECONDS, Lane, Mode, Point, Run, lane
from tests.support.rollout_scenarios import (
    CREATE,
    PROMOTE,
    RECREATE,
    ROLLBACK,
    UPGRADE,
    Scenario,
)

pytestmark = [pytest.mark.real_api, pytest.mark.timeout(300)]

LANES = 3
DELETION_MODES: tuple[Mode, ...] = ("before", "after")
MAY_BE_MISSED = 3
"""Status writes fall together or apart as pods become ready: N differs by a few."""


@pytest.mark.parametrize(
    "scenario", [CREATE, UPGRADE, PROMOTE, ROLLBACK, RECREATE], ids=lambda s: s.name
)
async def test_a_rollout_that_is_cut_at_any_write_ends_as_if_it_was_not(
    real_api: ControlPlane, namespace: str, scenario: Scenario, full: bool
) -> None:
    """Each write in one of three ways, or in full in all of them."""
    async with AsyncExitStack() as stack:
        lanes = await _open(stack, real_api, namespace)
        learned = await lanes[0].run(Point(scenario))
        await _rested(lanes)
        count = len(learned.writes)
        modes: tuple[Mode, ...] = ("before", "after", "lost")
        points = [
            Point(scenario, mode, k)
            for k in range(1, count + 1)
            for number, mode in enumerate(modes)
            if full or k % len(modes) == number
        ]
        runs = await _spread(lanes, points)
        await _rested(lanes)
        left = await _left(lanes)
        complaints = [line for each in lanes for o in each.operators for line in o.complaints()]
    _print(learned, runs)
    assert left == []
    assert complaints == []
    assert learned.problems == []
    assert {str(run.point): run.problems for run in runs if run.problems} == {}
    assert len(runs) - sum(run.reached for run in runs) <= MAY_BE_MISSED * len(modes)
    slow = {str(r.point): r.seconds_from_ready for r in runs if r.reached and _is_slow(r)}
    assert slow == {}
    for run in runs:
        assert _differences(run.outcome, learned.outcome) == [], str(run.point)
        assert _made(run) == _made(learned), str(run.point)


async def test_a_performer_deleted_after_a_kill_leaves_nothing(
    real_api: ControlPlane, namespace: str, full: bool
) -> None:
    async with AsyncExitStack() as stack:
        lanes = await _open(stack, real_api, namespace)
        points = [
            Point(scenario, mode, k, delete_while_down=True)
            for scenario, last in ((CREATE, 6), (UPGRADE, 8))
            for k in range(1, last + 1)
            for number, mode in enumerate(DELETION_MODES)
            if full or k % 2 == number
        ]
        runs = await _spread(lanes, points)
        await _rested(lanes)
        left = await _left(lanes)
        complaints = [line for each in lanes for o in each.operators for line in o.complaints()]
    _print(runs[0], runs)
    assert left == []
    assert complaints == []
    assert {str(run.point): run.problems for run in runs if run.problems} == {}
    assert all(run.reached for run in runs)


async def _open(stack: AsyncExitStack, plane: ControlPlane, namespace: str) -> list[Lane]:
    return [
        await stack.enter_async_context(lane(plane, f"{namespace}-{number}"))
        for number in range(LANES)
    ]


async def _spread(lanes: list[Lane], points: list[Point]) -> list[Run]:
    """Run the points over the lanes, each as soon as one is free."""
    left = iter(points)

    async def work(one: Lane, todo: Iterable[Point]) -> list[Run]:
        return [await one.run(point) for point in todo]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(one, left)) for one in lanes]
    return [run for task in tasks for run in task.result()]


async def _rested(lanes: list[Lane]) -> None:
    resting = {task for one in lanes for task in one.resting}
    if resting:
        await asyncio.wait(resting)


async def _left(lanes: list[Lane]) -> list[str]:
    """Return what is left without an owner when the garbage collector has had its time."""
    for each in lanes:
        await each.history.until(lambda h=each.history: not h.orphans(), 20)  # type: ignore[misc]
    return [orphan for each in lanes for orphan in each.history.orphans()]


def _made(run: Run) -> dict[str, int]:
    """Return how often each object was made; whether there is time for a staged Service varies."""
    return {what: n for what, n in run.additions.items() if not what.endswith("-staged")}


def _differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Return where two outcomes differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for key in sorted(one.keys() | other.keys())
            for found in _differences(one.get(key), other.get(key), f"{at}/{key}")
        ]
    return [] if one == other else [f"{at}: {one} instead of {other}"]


def _is_slow(run: Run) -> bool:
    """Return whether it took too long, counted from when the new operator was ready.

    Before that, Python starts: a second where nothing else runs, and ten where much does.
    """
    return run.seconds_from_ready > WITHIN_SECONDS


def _print(learned: Run, runs: list[Run]) -> None:
    """Say what was measured: pytest shows it with -s, or where a test failed."""
    found = [run for run in runs if run.reached and run.point.mode != "lost"]
    print(
        f"\n{learned.point.scenario.name}: N = {len(learned.writes)}, {len(runs)} runs, "
        f"{sum(r.reached for r in runs)} reached; seconds until converged, from the start of the "
        f"process: {_spread_of([r.seconds for r in found])}, from ready: "
        f"{_spread_of([r.seconds_from_ready for r in found])}"
    )


def _spread_of(times: list[float]) -> str:
    ordered = sorted(times)
    return f"median {ordered[len(ordered) // 2]:.2f}, most {ordered[-1]:.2f}"
