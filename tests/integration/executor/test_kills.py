"""SIGKILL at random moments, with tasks, deployments and removals under way."""

from pathlib import Path
from random import Random

from tests.support.executor_kills import kill_under_load


async def test_kill_9_loses_nothing_that_was_acknowledged_and_runs_nothing_twice(
    tmp_path: Path, full: bool
) -> None:
    found = await kill_under_load(tmp_path, 30 if full else 3, Random(6))
    assert found.nothing_is_lost, found
    assert found.answered > 10 * found.kills, found
