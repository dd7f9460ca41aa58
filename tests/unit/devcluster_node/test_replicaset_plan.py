"""What a ReplicaSet asks for, and the numbers it ends up with when caches lag."""

from datetime import UTC, datetime
from typing import Any

from hourglass_devcluster.model.replicaset_plan import (
    Expected,
    deletion_order,
    plan,
    pod_name,
    with_failure,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
LABELS = {"app": "a"}


def replica_set(replicas: int, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "rs", "namespace": "ns", "uid": "u1", "generation": 7},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": {**LABELS, "more": "1"}}, "spec": {}},
            **spec,
        },
    }


def pod(name: str, *, owner: str = "u1", **changes: Any) -> dict[str, Any]:
    ready = changes.get("ready")
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}] if ready else []
    meta: dict[str, Any] = {
        "name": name,
        "namespace": "ns",
        "uid": f"uid-{name}",
        "labels": changes.get("labels", LABELS),
        "annotations": changes.get("annotations", {}),
        "creationTimestamp": changes.get("created", "2026-01-01T00:00:00Z"),
    }
    if owner:
        meta["ownerReferences"] = [{"uid": owner, "controller": True}]
    if changes.get("leaving"):
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    restarts = [{"restartCount": changes.get("restarts", 0)}]
    return {
        "metadata": meta,
        "spec": {"nodeName": changes.get("node", "devcluster")},
        "status": {
            "phase": changes.get("phase", "Running"),
            "conditions": conditions,
            "containerStatuses": restarts,
        },
    }


def names(pods: Any) -> list[str]:
    return [each["metadata"]["name"] for each in pods]


def test_missing_pods_are_made_from_the_template() -> None:
    decided = plan(replica_set(2), [], Expected(), NOW)
    assert names(decided.creates) == [pod_name(replica_set(2), n) for n in (0, 1)]
    made = decided.creates[0]
    assert made["metadata"]["labels"] == {**LABELS, "more": "1"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u1"


def test_pods_that_the_cache_has_not_seen_yet_count() -> None:
    first = plan(replica_set(2), [], Expected(), NOW)
    written = Expected(created=frozenset(names(first.creates)), next_number=first.next_number)
    assert plan(replica_set(2), [], written, NOW).creates == ()
    assert len(plan(replica_set(3), [], written, NOW).creates) == 1


def test_pods_that_leave_or_have_ended_do_not_count() -> None:
    pods = [pod("a", leaving=True), pod("b", phase="Failed"), pod("c")]
    assert len(plan(replica_set(2), pods, Expected(), NOW).creates) == 1


def test_a_deletion_that_the_cache_has_not_seen_is_not_made_twice() -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    first = plan(replica_set(2), pods, Expected(), NOW)
    written = Expected(deleted=frozenset(each["metadata"]["uid"] for each in first.deletes))
    assert plan(replica_set(2), pods, written, NOW).deletes == ()
    assert len(plan(replica_set(1), pods, written, NOW).deletes) == 1


def test_the_least_missed_pods_go_first() -> None:
    early, late = "2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"
    cheap = {"controller.kubernetes.io/pod-deletion-cost": "-5"}
    order = [
        pod("unassigned", node="", phase="Pending"),
        pod("pending", phase="Pending"),
        pod("not-ready"),
        pod("cheap", ready=early, annotations=cheap),
        pod("ready-late", ready=late),
        pod("restarted", ready=early, restarts=3),
        pod("younger", ready=early, created="2026-01-01T00:05:00Z"),
        pod("older", ready=early),
    ]
    assert names(deletion_order(order[::-1], NOW)) == names(order)


def test_orphans_are_adopted_and_strangers_let_go() -> None:
    pods = [
        pod("orphan", owner=""),
        pod("changed", labels={"app": "b"}),
        pod("other", owner="u2"),
        pod("unrelated", owner="", labels={}),
    ]
    decided = plan(replica_set(1), pods, Expected(), NOW)
    assert names(decided.adopts) == ["orphan"]
    assert names(decided.releases) == ["changed"]
    assert decided.creates == ()


def test_a_set_that_is_being_deleted_makes_nothing() -> None:
    gone = replica_set(3)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    decided = plan(gone, [pod("a")], Expected(), NOW)
    assert (decided.creates, decided.deletes) == ((), ())


def test_a_pod_is_available_once_it_was_ready_long_enough() -> None:
    pods = [pod("a", ready="2026-01-01T00:59:50Z"), pod("b", ready="2026-01-01T00:00:00Z")]
    decided = plan(replica_set(2, minReadySeconds=30), pods, Expected(), NOW)
    assert decided.status == {
        "replicas": 2,
        "fullyLabeledReplicas": 0,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "observedGeneration": 7,
    }
    assert decided.look_again == 20


def test_a_failure_to_make_pods_is_a_condition() -> None:
    (condition,) = with_failure({"replicas": 0}, "no", NOW)["conditions"]
    assert (condition["type"], condition["message"]) == ("ReplicaFailure", "no")


@given(
    steps=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25),
)
def test_with_a_cache_that_lags_there_are_never_more_pods_than_were_asked_for(
    steps: list[tuple[int, bool]],
) -> None:
    """``real`` is the API, ``seen`` the cache; some steps let the cache catch up, others not."""
    real: dict[str, dict[str, Any]] = {}
    seen: list[dict[str, Any]] = []
    created: set[str] = set()
    deleted: set[str] = set()
    number = most = 0
    for wanted, catches_up in [*steps, (steps[-1][0], True), (steps[-1][0], True)]:
        most = max(most, wanted)
        if catches_up:
            seen = list(real.values())
            created -= set(names(seen))
            deleted &= {each["metadata"]["uid"] for each in seen}
        expected = Expected(
            created=frozenset(created), deleted=frozenset(deleted), next_number=number
        )
        decided = plan(replica_set(wanted), seen, expected, NOW)
        number = decided.next_number
        for made in decided.creates:
            name = made["metadata"]["name"]
            assert name not in real
            real[name] = pod(name)
            created.add(name)
        for each in decided.deletes:
            deleted.add(each["metadata"]["uid"])
            assert real.pop(each["metadata"]["name"])
        assert len(real) <= most
    assert len(real) == steps[-1][0]
