"""The bounds of a rolling update, and Recreate."""

from typing import Any

import pytest
from hourglass_common.domain.performer_rollout import share

from tests.support.rollouts import bring_up, condition_of, served_images, settled
from tests.support.simulated_cluster import SimulatedCluster


def rolling(surge: int | str, unavailable: int | str) -> dict[str, Any]:
    bounds = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": bounds}


def counted(cluster: SimulatedCluster) -> int:
    """Return the instances that are not being drained."""
    serving = "hourglass.eigenlayer.io/serving"
    return sum(p["metadata"]["labels"][serving] == "true" for p in cluster.pods.values())


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "least"),
    [
        ("25%", 0, 5, 4),
        (1, 0, 5, 4),
        ("100%", 0, 8, 4),
        (0, 1, 4, 3),
        (0, "50%", 4, 2),
        (2, 2, 6, 2),
        ("1%", "1%", 5, 4),
    ],
)
def test_an_update_of_four_stays_within_its_bounds(
    surge: int | str, unavailable: int | str, most: int, least: int
) -> None:
    cluster = settled(replicas=4, strategy=rolling(surge, unavailable))
    cluster.change_spec(image="demo:2")
    seen: list[tuple[int, int]] = []
    for _ in range(80):
        cluster.step()
        seen.append((counted(cluster), len(cluster.serving_pods())))
        for pod in cluster.waiting_pods()[:1]:
            cluster.set_ready(pod)
    assert max(count for count, _ in seen) <= most
    assert min(ready for _, ready in seen) == least
    assert served_images(cluster) == {"demo:2"}


def test_an_old_instance_that_is_not_ready_does_not_make_room_for_an_outage() -> None:
    cluster = settled(replicas=1)
    (old,) = cluster.ready_pods()
    cluster.change_spec(image="demo:2")
    cluster.step()
    cluster.set_ready(old, ready=False)
    for _ in range(5):
        cluster.step()
    assert old in cluster.pods


def test_what_never_came_up_is_replaced() -> None:
    cluster = SimulatedCluster()
    cluster.change_spec(image="demo:broken", replicas=2)
    cluster.step()
    cluster.change_spec(image="demo:2")
    for _ in range(10):
        cluster.step()
        for pod in cluster.waiting_pods():
            if cluster.pods[pod]["spec"]["containers"][0]["image"] == "demo:2":
                cluster.set_ready(pod)
    assert served_images(cluster) == {"demo:2"}
    assert len(cluster.pods) == 2


def test_recreate_begins_after_the_old_revision_is_gone() -> None:
    cluster = settled(replicas=2, strategy={"type": "Recreate"})
    cluster.change_spec(image="demo:2")
    for _ in range(20):
        cluster.step()
        images = {p["spec"]["containers"][0]["image"] for p in cluster.pods.values()}
        assert len(images) <= 1
    assert images == {"demo:2"}
    bring_up(cluster)
    assert condition_of(cluster, "Ready") == ("True", "InstancesReady")


def test_recreate_waits_for_pods_that_are_still_terminating() -> None:
    cluster = settled(strategy={"type": "Recreate"})
    (old,) = cluster.pods
    lingering = dict(cluster.pods[old])
    cluster.change_spec(image="demo:2")
    for _ in range(6):
        cluster.step()
    cluster.pods = {}
    cluster.replica_sets = {
        name: found
        for name, found in cluster.replica_sets.items()
        if name.endswith(lingering["metadata"]["labels"]["hourglass.eigenlayer.io/revision"])
    }
    lingering["metadata"] = {
        **lingering["metadata"],
        "deletionTimestamp": "2026-01-01T00:01:00Z",
    }
    cluster.pods[old] = lingering
    before = set(cluster.replica_sets)
    cluster.reconcile()
    assert set(cluster.replica_sets) == before


@pytest.mark.parametrize(
    ("value", "of", "up", "down"),
    [(2, 4, 2, 2), ("25%", 4, 1, 1), ("25%", 1, 1, 0), ("30%", 10, 3, 3), ("33%", 4, 2, 1)],
)
def test_percentages_are_of_the_wanted_instances(
    value: int | str, of: int, up: int, down: int
) -> None:
    assert share(value, of, round_up=True) == up
    assert share(value, of, round_up=False) == down
