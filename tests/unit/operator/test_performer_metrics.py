"""What is told of each performer, and for how long."""

from typing import Any

import pytest
from hourglass_common.kube.watch_state import Change, Manifest
from hourglass_operator.planning.reasons import Reason
from hourglass_operator.runtime.performer_metrics import FAMILIES, PerformerCollector, Rollouts
from prometheus_client import REGISTRY, CollectorRegistry

from tests.support.manual_clock import ManualClock

KEY = ("prod", "demo")


class Objects:
    """A cache that holds what a test puts into it."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Manifest] = {}


def performer(*, ready: str = "True", reason: str = "InstancesReady", **status: Any) -> Manifest:
    seen = {"type": "Ready", "status": ready, "reason": reason, "observedGeneration": 1}
    return {
        "metadata": {"namespace": "prod", "name": "demo", "generation": 1},
        "spec": {},
        "status": {"conditions": [seen], "revision": "r2", **status},
    }


@pytest.fixture
def cache() -> Objects:
    return Objects()


@pytest.fixture
def registry(cache: Objects) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(PerformerCollector(cache))  # type: ignore[arg-type]
    return registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    mine = {"namespace": "prod", "performer": "demo", **labels}
    return registry.get_sample_value(f"hourglass_performer_{name}", mine)


def test_series_come_and_go_with_their_object(cache: Objects, registry: CollectorRegistry) -> None:
    assert value(registry, "ready") is None
    cache.objects[KEY] = performer(readyReplicas=2, inServiceRevision="r1")
    assert value(registry, "ready") == 1
    assert value(registry, "ready_replicas") == 2
    assert value(registry, "revision_info", revision="r2", in_service="r1") == 1
    cache.objects.clear()
    assert not any(family.samples for family in registry.collect())


@pytest.mark.parametrize(
    ("spec", "intent", "wanted"),
    [
        ({}, {}, 1),
        ({"replicas": 0}, {"replicas": 3}, 0),
        ({}, {"replicas": 3}, 3),
        ({"replicas": 3, "suspend": True}, {}, 0),
        ({"replicas": 3}, {"suspend": True}, 0),
        ({"replicas": 3, "suspend": False}, {"suspend": True}, 3),
    ],
)
def test_what_is_wanted_is_what_was_asked_for_last(
    cache: Objects,
    registry: CollectorRegistry,
    spec: dict[str, Any],
    intent: dict[str, Any],
    wanted: int,
) -> None:
    cache.objects[KEY] = {**performer(intent=intent), "spec": spec}
    assert value(registry, "replicas") == wanted


def test_a_condition_is_told_with_a_reason_of_the_closed_list(
    cache: Objects, registry: CollectorRegistry
) -> None:
    cache.objects[KEY] = performer(ready="False", reason=Reason.CRASH_LOOPING.value)
    assert value(registry, "condition", type="Ready", reason="CrashLooping") == 0
    assert value(registry, "ready") == 0
    cache.objects[KEY] = performer(reason="SomethingNew")
    assert value(registry, "condition", type="Ready", reason="Other") == 1


def test_each_family_tells_as_many_labels_as_it_names() -> None:
    found = performer(inServiceRevision="r1")
    for family in FAMILIES:
        samples = list(family.read(found))
        assert samples
        assert all(len(labels) == len(family.labels) for labels, _ in samples), family.name


def seconds_and_count() -> tuple[float, float]:
    labels = {"strategy": "RollingUpdate"}
    name = "hourglass_performer_rollout_duration_seconds"
    return (
        REGISTRY.get_sample_value(f"{name}_sum", labels) or 0.0,
        REGISTRY.get_sample_value(f"{name}_count", labels) or 0.0,
    )


def test_a_rollout_lasts_from_the_new_revision_to_ready() -> None:
    clock = ManualClock()
    rollouts = Rollouts(clock)
    before = seconds_and_count()
    old = performer(revision="r1")
    rolling = performer(ready="False", revision="r2")
    rollouts.on_change(Change("added", KEY, None, old))  # known from before: nothing began
    clock.advance(100)
    rollouts.on_change(Change("modified", KEY, old, rolling))
    clock.advance(7)
    stale = {**performer(revision="r2"), "metadata": {"generation": 2}}
    rollouts.on_change(Change("modified", KEY, rolling, stale))  # Ready of an older spec
    clock.advance(2)
    rollouts.on_change(Change("modified", KEY, stale, performer(revision="r2")))
    clock.advance(1)
    rollouts.on_change(Change("modified", KEY, stale, performer(revision="r2")))
    after = seconds_and_count()
    assert (after[0] - before[0], after[1] - before[1]) == (9, 1)


def test_a_new_performer_is_a_rollout_and_one_that_goes_is_none() -> None:
    clock = ManualClock()
    rollouts = Rollouts(clock)
    before = seconds_and_count()
    bare = {"metadata": {"generation": 1}, "spec": {}}
    rollouts.on_change(Change("added", KEY, None, bare))
    rollouts.on_change(Change("deleted", KEY, bare, None))
    rollouts.on_change(Change("modified", KEY, bare, performer()))
    assert seconds_and_count() == before
    rollouts.on_change(Change("added", KEY, None, bare))
    clock.advance(3)
    rollouts.on_change(Change("modified", KEY, bare, performer()))
    assert seconds_and_count()[1] == before[1] + 1
