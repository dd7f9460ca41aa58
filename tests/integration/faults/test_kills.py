"""The operator is killed at each of its writes: the rollout ends as if nothing had happened."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

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
MAY_BE_MISSED = 3
"""Status writes fall together or apart as pods become ready: N differs by a few."""


@pytest.mark.parametrize(
    "scenario", [CREATE, UPGRADE, PROMOTE, ROLLBACK, RECREATE], ids=lambda s: s.name
)
async def test_a_rollout_that_is_cut_at_any_write_ends_as_if_it_was_not(
    real_api: ControlPlane, namespace: str, scenario: Scenario
) -> None:
    async with AsyncExitStack() as stack:
        lanes = await _open(stack, real_api, namespace)
        learned = await lanes[0].run(Point(scenario))
        await _rested(lanes)
        count = len(learned.writes)
        modes: tuple[Mode, ...] = ("before", "after", "lost")
        points = [Point(scenario, mode, k) for k in range(1, count + 1) for mode in modes]
        runs = await _spread(lanes, points)
        await _rested(lanes)
        left = [orphan for each in lanes for orphan in each.history.orphans()]
        complaints = [line for each in lanes for o in each.operators for line in o.complaints()]
    _print(learned, runs)
    assert left == []
    assert complaints == []
    assert learned.problems == []
    assert {str(run.point): run.problems for run in runs if run.problems} == {}
    assert len(runs) - sum(run.reached for run in runs) <= MAY_BE_MISSED * len(modes)
    slow = {
        str(run.point): run.seconds for run in runs if run.reached and run.seconds > WITHIN_SECONDS
    }
    assert slow == {}
    for run in runs:
        assert run.outcome == learned.outcome, run.point
        assert run.additions == learned.additions, run.point


async def test_a_performer_deleted_after_a_kill_leaves_nothing(
    real_api: ControlPlane, namespace: str
) -> None:
    async with AsyncExitStack() as stack:
        lanes = await _open(stack, real_api, namespace)
        points = [
            Point(scenario, mode, k, delete_while_down=True)
            for scenario, last in ((CREATE, 6), (UPGRADE, 8))
            for k in range(1, last + 1)
            for mode in ("before", "after")
        ]
        runs = await _spread(lanes, points)  # type: ignore[arg-type]
        await _rested(lanes)
        left = [orphan for each in lanes for orphan in each.history.orphans()]
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


def _print(learned: Run, runs: list[Run]) -> None:
    """Say what was measured: pytest shows it with -s, or where a test failed."""
    times = sorted(run.seconds for run in runs if run.reached and run.point.mode != "lost")
    print(
        f"\n{learned.point.scenario.name}: N = {len(learned.writes)}, {len(runs)} runs, "
        f"{sum(r.reached for r in runs)} reached; converged after a restart: "
        f"median {times[len(times) // 2]:.2f} s, most {times[-1]:.2f} s"
    )
    print("   ", learned.writes)
    for r in runs:
        print("   ", r.point, f"{r.reached} {r.seconds:.2f} {r.seconds_from_ready:.2f}")
