"""The API server is killed and comes back: the operator stays, and no pod is lost."""

import asyncio
import time
from pathlib import Path

import pytest
from hourglass_common.kube.resources import PODS, REPLICA_SETS

from tests.support.control_plane import Options, Processes, own_control_plane, why_not_startable
from tests.support.operator_cluster import Cluster, namespace_of_a_test, until
from tests.support.operator_process import operator_process

pytestmark = [pytest.mark.real_api, pytest.mark.timeout(240)]

AWAY_SECONDS = 6.0
AWAY_SECONDS_IN_FULL = 30.0
WITHIN_SECONDS = 10.0
ELECTION = {
    "leader_elect": "true",
    "leader_elect_lease_duration": "3",
    "leader_elect_renew_deadline": "2",
    "leader_elect_retry_period": "0.5",
}


async def pods(cluster: Cluster) -> set[str]:
    page = await cluster.client.list(PODS, cluster.namespace)
    return {str(pod["metadata"]["uid"]) for pod in page.items}


async def test_an_api_server_that_is_killed_and_started_again_costs_nothing(
    tmp_path: Path, namespace: str, full: bool
) -> None:
    reason = why_not_startable()
    if reason:
        pytest.skip(f"no real control plane: {reason}")
    away = AWAY_SECONDS_IN_FULL if full else AWAY_SECONDS
    with own_control_plane(tmp_path / "plane", Options()) as running:
        async with (
            namespace_of_a_test(running.plane, namespace) as cluster,
            operator_process(
                running.plane.kubeconfig,
                namespace,
                leader_election_namespace=namespace,
                **ELECTION,
            ) as operator,
        ):
            await cluster.create(replicas=2)
            await cluster.until_condition("Ready", "True")
            before = await pods(cluster)
            await _restart(running, away)
            back_at = time.monotonic()
            await cluster.change(replicas=3)
            await until(lambda: _scaled(cluster), "the ReplicaSet is scaled")
            seconds = time.monotonic() - back_at
            await until(lambda: _third_pod(cluster), "the controllers follow", seconds=60)
            await cluster.until_condition("Ready", "True", "InstancesReady")
            assert await pods(cluster) > before
            assert operator.process.returncode is None
            assert operator.complaints() == []
    print(f"\nup to date {seconds:.2f} s after an absence of {away:.0f} s")
    assert seconds <= WITHIN_SECONDS


async def _scaled(cluster: Cluster) -> bool | None:
    """Return True once the operator has done its part; the pods are the controller-manager's."""
    page = await cluster.client.list(REPLICA_SETS, cluster.namespace)
    return True if [item["spec"]["replicas"] for item in page.items] == [3] else None


async def _third_pod(cluster: Cluster) -> bool | None:
    """Return True once there is one: the controller-manager may take its time to come back."""
    return True if len(await pods(cluster)) == 3 else None


async def _restart(running: Processes, away: float) -> None:
    running.kill_api_server()
    await asyncio.sleep(away)
    await asyncio.to_thread(running.start_api_server)
