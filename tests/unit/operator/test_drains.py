"""Nothing is cut off: what executors say of the tasks in flight, and what nobody said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourglass_common.domain.drain_report import drain_lease, reports_of
from hourglass_operator.planning.drain import drain

from tests.support.rollouts import (
    bring_up,
    event_reasons,
    hash_of,
    own,
    receipts,
    report,
    roles,
    settled,
    staged,
    status_of,
)
from tests.support.simulated_cluster import SimulatedCluster

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def promoted(**rollout: Any) -> SimulatedCluster:
    """Return a performer that has just switched to its second revision."""
    rollout = {"keepPreviousSeconds": 0, "drainTimeoutSeconds": 300, **rollout}
    cluster = staged(autoPromoteAfterSeconds=0, rollout=rollout)
    cluster.reconcile()
    assert status_of(cluster)["inServiceRevision"] == status_of(cluster)["revision"]
    return cluster


def test_the_old_revision_stays_until_every_executor_says_zero() -> None:
    cluster = promoted()
    old = hash_of(cluster, "demo:1")
    report(cluster, "one", old, 2)
    report(cluster, "two", old, 1)
    cluster.step(seconds=40)
    report(cluster, "one", old, 0)
    cluster.step(seconds=10)
    assert roles(cluster)["demo:1"] == "Draining"
    report(cluster, "two", old, 0)
    cluster.settle()
    assert roles(cluster)["demo:1"] == "Retired"
    receipt = receipts(cluster)[0]
    assert (receipt["inFlight"], receipt["lost"]) == ("3", "0")
    assert receipt["drained"]
    assert event_reasons(cluster).count("RevisionDrained") == 1


def test_lost_tasks_are_told() -> None:
    cluster = promoted()
    old = hash_of(cluster, "demo:1")
    report(cluster, "one", old, 2)
    cluster.step(seconds=10)
    report(cluster, "one", old, 0, lost=1)
    cluster.settle()
    assert receipts(cluster)[0]["lost"] == "1"


def test_an_executor_that_falls_silent_makes_the_figures_unknown() -> None:
    cluster = promoted()
    old = hash_of(cluster, "demo:1")
    report(cluster, "one", old, 2, valid_seconds=30)
    report(cluster, "two", old, 1, valid_seconds=30)
    cluster.step(seconds=5)
    report(cluster, "two", old, 0)
    cluster.step(seconds=10)
    assert roles(cluster)["demo:1"] == "Draining"
    cluster.seconds += 30
    cluster.settle()
    assert roles(cluster)["demo:1"] == "Retired"
    receipt = receipts(cluster)[0]
    assert (receipt["inFlight"], receipt["lost"]) == ("unknown", "unknown")


def test_where_nobody_reports_the_figures_are_unknown_and_never_zero() -> None:
    cluster = promoted()
    cluster.settle()
    receipt = receipts(cluster)[0]
    assert (receipt["inFlight"], receipt["lost"]) == ("unknown", "unknown")
    assert roles(cluster)["demo:1"] == "Retired"


def test_a_drain_ends_at_its_limit_whatever_is_said() -> None:
    cluster = promoted(drainTimeoutSeconds=20)
    old = hash_of(cluster, "demo:1")
    report(cluster, "one", old, 2, valid_seconds=9999)
    cluster.step(seconds=19)
    assert roles(cluster)["demo:1"] == "Draining"
    cluster.step(seconds=1)
    cluster.settle()
    assert roles(cluster)["demo:1"] == "Retired"
    assert receipts(cluster)[0]["lost"] == "unknown"


def test_a_kept_revision_is_kept_from_drained_on() -> None:
    cluster = promoted(keepPreviousSeconds=60)
    old = hash_of(cluster, "demo:1")
    report(cluster, "one", old, 1, valid_seconds=500)
    cluster.step(seconds=100)
    report(cluster, "one", old, 0)
    cluster.step(seconds=59)
    cluster.step(seconds=0)
    assert roles(cluster)["demo:1"] == "Draining"
    cluster.seconds += 2
    cluster.settle()
    assert roles(cluster)["demo:1"] == "Retired"


def test_a_rolling_update_takes_an_instance_out_and_waits_for_its_tasks() -> None:
    cluster = settled(replicas=1)
    (old,) = cluster.ready_pods()
    revision = status_of(cluster)["revision"]
    cluster.change_spec(image="demo:2")
    bring_up(cluster)
    assert old not in cluster.serving_pods()
    report(cluster, "one", revision, 1)
    cluster.step(seconds=30)
    cluster.step(seconds=1)
    assert old in cluster.ready_pods()
    report(cluster, "one", revision, 0)
    cluster.settle()
    assert old not in cluster.pods
    assert receipts(cluster)[0]["inFlight"] == "1"


def test_an_instance_that_its_executor_tells_apart_does_not_wait_for_the_others() -> None:
    cluster = settled(replicas=3)
    revision = status_of(cluster)["revision"]
    own(cluster, "kubectl", {"f:replicas": {}})
    cluster.change_spec(replicas=2)
    cluster.step(seconds=1)
    (leaving,) = set(cluster.ready_pods()) - set(cluster.serving_pods())
    counts = {pod: 5 for pod in cluster.ready_pods() if pod != leaving}
    report(cluster, "one", revision, 10, instances=counts)
    cluster.seconds += 5
    cluster.settle()
    assert leaving not in cluster.pods
    assert len(cluster.ready_pods()) == 2


def test_scaling_down_leaves_a_receipt_of_who_and_what() -> None:
    cluster = settled(replicas=3)
    own(cluster, "bob", {"f:replicas": {}})
    cluster.change_spec(replicas=1)
    cluster.settle()
    receipt = receipts(cluster)[0]
    assert (receipt["action"], receipt["who"]) == ("Scale", "bob")
    assert (receipt["from"], receipt["to"]) == ("3", "1")
    assert receipt["inFlight"] == "unknown"
    assert event_reasons(cluster).count("Scaled") == 1


def test_an_instance_that_is_wanted_again_is_put_back() -> None:
    cluster = settled(replicas=2)
    cluster.change_spec(replicas=1)
    cluster.step(seconds=0)
    assert len(cluster.serving_pods()) == 1
    cluster.change_spec(replicas=2)
    cluster.step(seconds=0)
    cluster.settle()
    assert len(cluster.serving_pods()) == 2


@pytest.mark.parametrize(
    ("age", "over"), [(0.0, False), (2.9, False), (3.0, True)], ids=["at once", "soon", "late"]
)
def test_executors_have_three_seconds_for_their_first_word(age: float, over: bool) -> None:
    now = NOW + timedelta(seconds=age)
    assert drain((), "abc", NOW, now, timeout_seconds=300).over is over


def test_a_lease_says_what_was_reported() -> None:
    cluster = settled()
    performer = {"metadata": {"name": "demo", "namespace": "prod", "uid": "u"}}
    report(cluster, "one", "abc", 3, lost=1, instances={"pod": 3})
    said = cluster.reports
    lease = drain_lease(performer, "one", said, said[0].renewed_at)
    assert reports_of(lease) == said


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"revision": "a"}]', '[{"revision": "a", "inFlight": "x"}]']
)
def test_a_report_that_can_not_be_read_counts_as_not_made(text: str) -> None:
    lease = {
        "metadata": {
            "name": "l",
            "annotations": {"hourglass.eigenlayer.io/drain-report": text},
        },
        "spec": {"renewTime": "2026-01-01T00:00:00.000000Z", "leaseDurationSeconds": 10},
    }
    assert reports_of(lease) == ()
