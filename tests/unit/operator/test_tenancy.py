"""Which rights a change asks for, and what nobody may ask for."""

from dataclasses import fields
from typing import Any

import pytest
from hourglass_common.domain.performer import PerformerSpec
from hourglass_common.domain.tenancy import RUNS, RUNS_NOTHING, Policy, needs, refusals, too_many

from tests.support.hostile_specs import (
    ACTS,
    HARMLESS,
    IMAGES,
    OWN,
    PLACES,
    POLICY,
    REFERENCES,
    TAKEN_OVER,
    Wish,
    pulls,
    secrets,
)

NAMESPACE, NAME = "team-a", "demo"


def asked(wish: Wish) -> list[str]:
    found = needs(wish.old(NAMESPACE, NAME), wish.manifest(NAMESPACE, NAME))
    return [f"{need.field}: {need.message}" for need in found]


def refused(wish: Wish, policy: Policy = POLICY) -> list[str]:
    found = refusals(wish.old(NAMESPACE, NAME), wish.manifest(NAMESPACE, NAME), policy)
    return [f"{one.field}: {one.description}" for one in found]


def test_each_part_of_the_spec_runs_something_or_not() -> None:
    assert set(RUNS).isdisjoint(RUNS_NOTHING)
    assert len(RUNS) + len(RUNS_NOTHING) == len(fields(PerformerSpec))


@pytest.mark.parametrize("wish", [*REFERENCES, *TAKEN_OVER, *ACTS], ids=lambda wish: wish.id)
def test_the_last_right_that_is_asked_for_is_the_one_that_is_missing(wish: Wish) -> None:
    assert wish.words(NAMESPACE, NAME) in asked(wish)
    assert not refused(wish)


@pytest.mark.parametrize(
    "wish", [w for w in (*PLACES, *IMAGES) if "must be" not in w.says], ids=lambda wish: wish.id
)
def test_what_nobody_may_ask_for_is_refused(wish: Wish) -> None:
    assert refused(wish)[0].startswith(wish.says)


@pytest.mark.parametrize("wish", HARMLESS, ids=lambda wish: wish.id)
def test_a_harmless_change_is_not_refused(wish: Wish) -> None:
    assert not refused(wish)


@pytest.mark.parametrize("id_", ["label", "replicas", "deadline", "default", "into", "decision"])
def test_a_change_that_runs_nothing_else_asks_for_no_right(id_: str) -> None:
    for wish in HARMLESS:
        if wish.id.startswith(id_) and wish.id != "decision kept":
            assert asked(wish) == []


def test_a_fence_at_birth_asks_for_nothing() -> None:
    assert asked(Wish("", "", {"fence": True, "suspend": False})) == []


def test_without_a_policy_an_image_may_come_from_anywhere() -> None:
    for wish in (w for w in IMAGES if w.says.startswith("spec.image")):
        assert not refused(wish, Policy())


def test_the_control_plane_may_be_opened() -> None:
    taint = {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}
    wish = Wish("", "", {"scheduling": {"tolerations": [taint]}})
    assert refused(wish, Policy())
    assert not refused(wish, Policy(allow_control_plane=True))


@pytest.mark.parametrize("field", ["spec.config.environmentFrom", "spec.imagePullSecrets"])
def test_a_list_is_not_longer_than_it_is_looked_at(field: str) -> None:
    names = (*OWN, "one-more")
    spec = secrets(*names) if "config" in field else pulls(*names)
    found = too_many(None, Wish("", "", spec).manifest(NAMESPACE, NAME))
    assert [(one.field, one.description) for one in found] == [
        (field, "Too many: 9: must have at most 8 items")
    ]


def test_a_long_list_that_was_there_before_is_no_obstacle() -> None:
    wish = Wish("", "", {**secrets(*OWN, "x"), "fence": True}, secrets(*OWN, "x"))
    assert too_many(wish.old(NAMESPACE, NAME), wish.manifest(NAMESPACE, NAME)) == ()


def test_a_name_that_is_too_long_is_nobodys() -> None:
    assert asked(Wish("", "", secrets("a" * 253))) != []
    assert asked(Wish("", "", secrets("a" * 254))) == []


SHAPELESS: tuple[dict[str, Any], ...] = (
    {"config": "x"},
    {"config": {"environmentFrom": "x", "serviceAccountName": 1}},
    {"config": {"environmentFrom": [None, {"valueFrom": {"secretKeyRef": {"name": 1}}}]}},
    {"config": {"environment": ["KUBERNETES"]}},
    {"scheduling": {"tolerations": [{}, {"operator": "Equal"}, "Exists"]}},
    {"imagePullSecrets": {"name": "x"}, "scheduling": [1], "rollout": {"decision": "Promote"}},
    {"image": None, "rollout": {"decision": {"action": ["Promote"]}}},
)


@pytest.mark.parametrize("spec", SHAPELESS, ids=str)
def test_what_the_schema_refuses_is_left_to_the_api(spec: dict[str, Any]) -> None:
    wish = Wish("", "", spec, before={})
    assert asked(wish) == []
    assert refused(wish) == []
