"""The health check that Argo CD is given, run on statuses that the operator writes."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua54 import LuaRuntime  # Argo CD runs Lua 5.1; nothing here differs

from tests.support.rollouts import blue_green, decide, settled, staged
from tests.support.simulated_cluster import SimulatedCluster

SCRIPT = (Path(__file__).parents[3] / "deploy/argocd/health.lua").read_text()


def health_of(performer: dict[str, Any]) -> str:
    lua = LuaRuntime(unpack_returned_tuples=True)
    lua.globals()["obj"] = lua.table_from(performer, recursive=True)
    found = lua.execute(SCRIPT)
    assert found["message"]
    return str(found["status"])


def stalled() -> SimulatedCluster:
    cluster = staged()
    decide(cluster, "Abort")
    cluster.settle()
    return cluster


def observed_later() -> SimulatedCluster:
    cluster = settled()
    cluster.change_spec(image="demo:2")
    return cluster


def starting() -> SimulatedCluster:
    cluster = SimulatedCluster()
    cluster.reconcile()
    return cluster


@pytest.mark.parametrize(
    ("cluster", "health"),
    [
        (SimulatedCluster, "Progressing"),
        (starting, "Progressing"),
        (observed_later, "Progressing"),
        (settled, "Healthy"),
        (stalled, "Degraded"),
        (staged, "Suspended"),
        (lambda: settled(suspend=True), "Suspended"),
        (lambda: settled(fence=True), "Suspended"),
        (lambda: settled(replicas=0), "Healthy"),
        (lambda: settled(strategy=blue_green()), "Healthy"),
    ],
    ids=[
        "no status",
        "starting",
        "a newer generation",
        "ready",
        "stalled",
        "awaiting promotion",
        "suspended",
        "fenced",
        "scaled to zero",
        "blue-green",
    ],
)
def test_argo_cd_judges_it_rightly(cluster: Any, health: str) -> None:
    assert health_of(cluster().performer) == health
