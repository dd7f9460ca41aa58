"""PerformerControl asks for its caller's rights, and for no more of them than are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hourglass_common.domain.access import Attributes, Caller, Proof, Verdict
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.tenancy import Policy
from hourglass_operator.control.tenant import Tenant
from hourglass_services.rpc.caller import current_caller

from tests.support.hostile_specs import OTHER_IMAGE, OWN, Wish, pulls, secrets

JANE = Caller(name="jane")


class Rights:
    """Allows what is on the list, and remembers who asked for what."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed
        self.asked: list[tuple[str, str]] = []

    async def ask(self, caller: Caller, wish: Attributes) -> Verdict:
        self.asked.append((caller.name, f"{wish.verb} {wish.resource} {wish.name}"))
        return Verdict(wish.name in self.allowed)


@contextmanager
def calling(caller: Caller) -> Iterator[None]:
    mark = current_caller.set(caller)
    try:
        yield
    finally:
        current_caller.reset(mark)


async def check(rights: Rights, spec: dict[str, Any], policy: Policy | None = None) -> None:
    manifest = Wish("", "", spec).manifest("team-a", "demo")
    await Tenant(rights, policy or Policy()).check(None, manifest)


async def test_all_that_is_missing_is_told_at_once() -> None:
    rights = Rights(*OWN)
    with calling(JANE), pytest.raises(HourglassError) as caught:
        await check(rights, {**secrets(OWN[0], "db"), **pulls("key")})
    error = caught.value
    assert error.code is Code.PERMISSION_DENIED
    assert error.reason == "REFERENCE_DENIED"
    assert error.message.startswith("spec.config.environmentFrom[1]: whoever sets what this")
    assert [v.field for v in error.violations] == [
        "spec.config.environment_from[1]",
        "spec.image_pull_secrets[0]",
    ]


async def test_the_caller_is_asked_about_and_each_right_once() -> None:
    rights = Rights(*OWN)
    with calling(JANE):
        await check(rights, {**secrets(OWN[0], OWN[0]), **pulls(OWN[0])})
    assert rights.asked == [("jane", "get secrets own-0")]


async def test_nobody_is_asked_about_what_is_not_changed() -> None:
    rights = Rights()
    old = Wish("", "", secrets("db")).manifest("team-a", "demo")
    new = Wish("", "", {**secrets("db"), "replicas": 2}).manifest("team-a", "demo")
    with calling(JANE):
        await Tenant(rights, Policy()).check(old, new)
        assert rights.asked == []
        new["spec"]["image"] = OTHER_IMAGE
        with pytest.raises(HourglassError):
            await Tenant(rights, Policy()).check(old, new)


async def test_a_laptop_is_not_asked_for_rights() -> None:
    rights = Rights()
    with calling(Caller(name="local", proof=Proof.LOOPBACK)):
        await check(rights, secrets("db"))
    assert rights.asked == []


async def test_a_laptop_gets_nothing_that_nobody_may_have() -> None:
    with (
        calling(Caller(name="local", proof=Proof.LOOPBACK)),
        pytest.raises(HourglassError) as caught,
    ):
        await check(Rights(), {}, Policy(allowed_registries=("ghcr.io",), require_digest=True))
    assert caught.value.code is Code.PERMISSION_DENIED
    assert caught.value.reason == "POLICY_REFUSED"
    assert "only: ghcr.io" in caught.value.message


async def test_nine_references_are_refused_without_asking() -> None:
    rights = Rights()
    with calling(JANE), pytest.raises(HourglassError) as caught:
        await check(rights, secrets(*OWN, "db"))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.reason == "TOO_MANY_REFERENCES"
    assert rights.asked == []


async def test_an_act_that_is_not_allowed_has_a_reason_of_its_own() -> None:
    old = Wish("", "", {}).manifest("team-a", "demo")
    new = Wish("", "", {"fence": True}).manifest("team-a", "demo")
    with calling(JANE), pytest.raises(HourglassError) as caught:
        await Tenant(Rights(), Policy()).check(old, new)
    assert caught.value.reason == "ACT_DENIED"
    assert caught.value.violations[0].field == "spec.fence"
