"""Promotion is one switch: no task fails, none is lost, none is run twice."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dev_cluster import DevCluster, dev_cluster
from tests.support.dev_operator import Stage, stage
from tests.support.promotions import promote_under_load

__all__ = ["dev_cluster"]


@pytest.fixture
async def on(dev_cluster: DevCluster, namespace: str) -> AsyncIterator[Stage]:
    async with stage(dev_cluster, namespace) as found:
        yield found


@pytest.mark.parametrize(
    ("via", "strategy"),
    [("performers", "BlueGreen"), ("control", "BlueGreen"), ("performers", "RollingUpdate")],
)
async def test_promotions_under_load_fail_lose_and_repeat_nothing(
    on: Stage, via: str, strategy: str, full: bool, tmp_path: Path
) -> None:
    promotions, rate = (10, 200.0) if full else (1, 50.0)
    found = await promote_under_load(
        on, tmp_path / "run", via=via, strategy=strategy, promotions=promotions, rate=rate
    )
    assert found.failed == {}
    assert (found.lost, found.twice) == (0, 0)
    assert found.revisions_used == promotions + 1, "a revision took no task"
