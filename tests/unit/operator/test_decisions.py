"""Promote, abort and roll back by hand; a manifest without a word of it changes nothing."""

from typing import Any

import pytest

from tests.support.rollouts import (
    blue_green,
    bring_up,
    condition_of,
    decide,
    event_reasons,
    hash_of,
    message_of,
    receipts,
    roles,
    served_images,
    settled,
    staged,
    status_of,
)
from tests.support.simulated_cluster import SimulatedCluster


def reapply(cluster: SimulatedCluster, **spec: Any) -> None:
    """Replace the spec by the manifest's own words, as `kubectl replace` does."""
    kept = {"avsAddress", "image", "strategy"}
    cluster.performer["spec"] = {
        **{k: v for k, v in cluster.performer["spec"].items() if k in kept},
        **spec,
    }
    cluster.performer["metadata"]["generation"] += 1


def rolled_back(**rollout: Any) -> SimulatedCluster:
    """Return a performer that was promoted to a second revision and rolled back by alice."""
    cluster = staged(rollout=rollout or None, autoPromoteAfterSeconds=0)
    bring_up(cluster)
    decide(cluster, "Rollback")
    bring_up(cluster)
    return cluster


def test_a_promotion_by_hand_is_one_switch_with_a_receipt() -> None:
    cluster = staged()
    old, new = hash_of(cluster, "demo:1"), hash_of(cluster, "demo:2")
    decide(cluster, "Promote", new)
    bring_up(cluster)
    assert served_images(cluster) == {"demo:2"}
    (receipt,) = receipts(cluster)
    assert (receipt["action"], receipt["who"]) == ("Promote", "alice")
    assert (receipt["from"], receipt["to"]) == (old, new)
    assert event_reasons(cluster).count("Promoted") == 1
    assert status_of(cluster)["decision"]["outcome"] == "Accepted"


def test_a_promotion_before_it_is_complete_waits_for_that() -> None:
    cluster = settled(strategy=blue_green())
    cluster.change_spec(image="demo:2")
    cluster.step()
    decide(cluster, "Promote")
    for _ in range(3):
        cluster.step()
    assert served_images(cluster) == {"demo:1"}
    bring_up(cluster)
    assert served_images(cluster) == {"demo:2"}


def test_the_same_decision_again_does_nothing() -> None:
    cluster = staged()
    decide(cluster, "Promote")
    cluster.settle()
    before = cluster.writes, receipts(cluster)
    decide(cluster, "Promote")
    cluster.settle()
    assert receipts(cluster) == before[1]
    assert cluster.writes - before[0] == 1  # the new generation is observed


def test_an_abort_takes_the_staged_revision_away_for_good() -> None:
    cluster = staged()
    decide(cluster, "Abort")
    cluster.settle()
    assert roles(cluster) == {"demo:2": "Retired", "demo:1": "InService"}
    assert condition_of(cluster, "Stalled") == ("True", "Aborted")
    reapply(cluster)
    cluster.settle()
    assert roles(cluster) == {"demo:2": "Retired", "demo:1": "InService"}
    (receipt,) = receipts(cluster)
    assert (receipt["action"], receipt["who"]) == ("Abort", "alice")


def test_what_was_aborted_can_be_promoted_by_hand() -> None:
    cluster = staged()
    decide(cluster, "Abort")
    cluster.settle()
    decide(cluster, "Promote")
    cluster.settle()
    assert served_images(cluster) == {"demo:2"}
    assert condition_of(cluster, "Ready") == ("True", "InstancesReady")


def test_a_rollback_to_a_kept_revision_is_one_switch() -> None:
    cluster = staged(autoPromoteAfterSeconds=0)
    bring_up(cluster)
    assert served_images(cluster) == {"demo:2"}
    decide(cluster, "Rollback")
    cluster.step(seconds=0)
    cluster.step(seconds=0)
    assert served_images(cluster) == {"demo:1"}
    cluster.step()
    assert condition_of(cluster, "Stalled") == ("True", "RolledBack")
    receipt = receipts(cluster)[0]
    assert (receipt["action"], receipt["who"]) == ("Rollback", "alice")


def test_a_rollback_passes_no_gate_and_no_pause() -> None:
    cluster = staged(autoPromoteAfterSeconds=0)
    bring_up(cluster)
    task = {"payload": "x", "expectedOutput": "y"}
    cluster.gate = "Failed"
    cluster.change_spec(strategy=blue_green(autoPromoteAfterSeconds=900, gate={"smokeTask": task}))
    bring_up(cluster)
    decide(cluster, "Rollback")
    bring_up(cluster)
    assert served_images(cluster) == {"demo:1"}


def test_a_rollback_to_a_retired_revision_brings_it_up_first() -> None:
    cluster = staged(autoPromoteAfterSeconds=0)
    cluster.settle()
    assert roles(cluster)["demo:1"] == "Retired"
    decide(cluster, "Rollback")
    for _ in range(3):
        cluster.step()
        assert served_images(cluster) == {"demo:2"}
    bring_up(cluster)
    assert served_images(cluster) == {"demo:1"}


def test_a_rollback_may_name_any_revision_that_is_kept() -> None:
    cluster = settled(strategy=blue_green(autoPromoteAfterSeconds=0))
    for number in (2, 3):
        cluster.change_spec(image=f"demo:{number}")
        cluster.settle()
    decide(cluster, "Rollback", hash_of(cluster, "demo:1"))
    cluster.settle()
    assert served_images(cluster) == {"demo:1"}


def test_a_rolled_back_revision_is_never_promoted_by_itself() -> None:
    cluster = rolled_back()
    for _ in range(20):
        reapply(cluster)
        cluster.settle()
    assert served_images(cluster) == {"demo:1"}
    assert len([r for r in receipts(cluster) if r["action"] == "Rollback"]) == 1


def test_not_even_after_a_detour_over_another_spec() -> None:
    cluster = rolled_back()
    cluster.change_spec(image="demo:3")
    cluster.settle()
    assert served_images(cluster) == {"demo:3"}
    cluster.change_spec(image="demo:2")
    cluster.settle()
    assert served_images(cluster) != {"demo:2"}
    assert condition_of(cluster, "Stalled") == ("True", "RolledBack")


def test_a_new_spec_ends_a_rollback() -> None:
    cluster = rolled_back()
    cluster.change_spec(image="demo:3")
    cluster.settle()
    assert served_images(cluster) == {"demo:3"}
    assert condition_of(cluster, "Ready") == ("True", "InstancesReady")


def test_a_decision_for_another_spec_is_void() -> None:
    cluster = staged()
    decide(cluster, "Promote")
    cluster.change_spec(image="demo:3")
    bring_up(cluster)
    assert served_images(cluster) == {"demo:1"}


@pytest.mark.parametrize(
    ("action", "revision", "text"),
    [
        ("Rollback", "123456789", "revision 123456789 is not kept; there are:"),
        ("Promote", "123456789", "the spec asks for revision"),
        ("Abort", "123456789", "revision 123456789 is not being rolled out"),
    ],
)
def test_a_decision_that_can_not_be_is_refused_with_what_can(
    action: str, revision: str, text: str
) -> None:
    cluster = staged()
    decide(cluster, action, revision)
    cluster.settle()
    decision = status_of(cluster)["decision"]
    assert decision["outcome"] == "Refused"
    assert text in decision["message"]
    refusals = [e for e in cluster.events if e.reason == "DecisionRefused"]
    assert [e.kind for e in refusals] == ["Warning"]
    assert served_images(cluster) == {"demo:1"}


def test_a_revision_in_service_can_not_be_aborted() -> None:
    cluster = staged(autoPromoteAfterSeconds=0)
    cluster.settle()
    decide(cluster, "Abort")
    cluster.settle()
    assert status_of(cluster)["decision"]["outcome"] == "Refused"
    assert served_images(cluster) == {"demo:2"}


def test_a_rolling_update_can_be_rolled_back_too() -> None:
    cluster = settled(replicas=2)
    cluster.change_spec(image="demo:2")
    cluster.settle()
    decide(cluster, "Rollback")
    for _ in range(30):
        cluster.step()
        assert len(cluster.serving_pods()) >= 2
        for pod in cluster.waiting_pods():
            cluster.set_ready(pod)
    assert served_images(cluster) == {"demo:1"}
    assert condition_of(cluster, "Stalled") == ("True", "RolledBack")
    assert "rolled back" in message_of(cluster)


def test_a_rolling_update_can_be_aborted_halfway() -> None:
    cluster = settled(replicas=2)
    cluster.change_spec(image="demo:broken")
    cluster.step()
    cluster.step()
    decide(cluster, "Abort")
    cluster.settle()
    assert served_images(cluster) == {"demo:1"}
    assert len(cluster.ready_pods()) == 2


def test_a_rollout_without_progress_is_stalled_while_the_old_one_serves() -> None:
    cluster = settled(rollout={"progressDeadlineSeconds": 120})
    cluster.change_spec(image="demo:2")
    for _ in range(4):
        cluster.step(seconds=29)
    assert condition_of(cluster, "Stalled")[0] == "absent"
    cluster.seconds += 10
    cluster.step()
    assert condition_of(cluster, "Stalled")[0] == "True"
    assert served_images(cluster) == {"demo:1"}
    cluster.settle()
    assert condition_of(cluster, "Ready")[0] == "True"


def test_a_stuck_rollout_returns_to_the_old_revision_if_asked() -> None:
    deadline = {"progressDeadlineSeconds": 120, "onDeadline": "Rollback"}
    cluster = settled(strategy=blue_green(autoPromoteAfterSeconds=0), rollout=deadline)
    cluster.change_spec(image="demo:2")
    cluster.step(seconds=121)
    for _ in range(3):
        cluster.step()
    assert condition_of(cluster, "Stalled") == ("True", "ProgressDeadlineExceeded")
    assert roles(cluster) == {"demo:2": "Retired", "demo:1": "InService"}
    assert served_images(cluster) == {"demo:1"}


def test_the_first_revision_has_nothing_to_return_to() -> None:
    deadline = {"progressDeadlineSeconds": 60, "onDeadline": "Rollback"}
    cluster = SimulatedCluster()
    cluster.change_spec(rollout=deadline)
    for _ in range(4):
        cluster.step(seconds=40)
    assert condition_of(cluster, "Stalled")[0] == "True"
    assert len(cluster.pods) == 1
