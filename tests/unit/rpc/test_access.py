"""Whose token it is and what is allowed: how long an answer is trusted. On a virtual clock."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hourglass_common.domain.access import Attributes, Caller, Proof
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.rpc.access import Access, Memory, expiry_of
from hourglass_services.rpc.caller import UNPROVEN

from tests.support.manual_clock import ManualClock
from tests.support.played_reviews import ANN, AWAY, PlayedReviews

WISH = Attributes(verb="get", namespace="team-a", name="demo")


@dataclass
class World:
    cluster: PlayedReviews = field(
        default_factory=lambda: PlayedReviews({"good": ANN}, {("ann", WISH)})
    )
    clock: ManualClock = field(default_factory=ManualClock)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        self.access = Access(self.cluster, self.clock, self.memory)

    async def code(self, token: str, peer: str = "10.0.0.1") -> Code | None:
        try:
            await self.access.authenticate(token, peer)
        except HourglassError as error:
            return error.code
        return None

    async def may(self, caller: Caller = ANN, wish: Attributes = WISH) -> bool:
        return (await self.access.ask(caller, wish)).allowed


@pytest.fixture
def world() -> World:
    return World()


async def test_a_token_is_asked_about_once_while_the_answer_holds(world: World) -> None:
    for _ in range(100):
        caller, until = await world.access.authenticate("good", "10.0.0.1")
        assert caller == ANN
        assert until == 8.0
    assert world.cluster.asked_who == ["good"]


async def test_a_revoked_token_is_refused_within_ten_seconds(world: World) -> None:
    assert await world.code("good") is None
    world.cluster.tokens.clear()
    world.clock.advance(10.0)
    assert await world.code("good") is Code.UNAUTHENTICATED


async def test_a_right_that_was_taken_away_is_gone_within_ten_seconds(world: World) -> None:
    assert await world.may()
    world.cluster.rights.clear()
    world.clock.advance(10.0)
    assert not await world.may()


async def test_a_right_that_was_given_counts_after_two_seconds(world: World) -> None:
    world.cluster.rights.clear()
    assert not await world.may()
    world.cluster.rights.add(("ann", WISH))
    assert not await world.may()
    world.clock.advance(2.0)
    assert await world.may()


async def test_an_answer_is_only_for_that_caller_and_that_wish(world: World) -> None:
    assert await world.may()
    assert not await world.may(Caller(name="bob", groups=ANN.groups))
    for other in (
        Attributes(verb="delete", namespace="team-a", name="demo"),
        Attributes(verb="get", namespace="team-b", name="demo"),
        Attributes(verb="get", namespace="team-a", name="other"),
        Attributes(verb="get", subresource="log", namespace="team-a", name="demo"),
    ):
        assert not await world.may(wish=other)
    for nearly in (
        Caller(name="ann", groups=("dev", "admin"), uid="1", extra={"k": ("v",)}),
        Caller(name="ann", groups=("dev",), uid="2", extra={"k": ("v",)}),
        Caller(name="ann", groups=("dev",), uid="1", extra={"k": ("w",)}),
    ):
        before = len(world.cluster.asked_may)
        await world.may(nearly)
        assert len(world.cluster.asked_may) == before + 1


async def test_while_the_api_is_away_nothing_is_allowed_and_that_is_not_remembered(
    world: World,
) -> None:
    world.cluster.failure = AWAY
    assert await world.code("good") is Code.UNAVAILABLE
    with pytest.raises(HourglassError) as caught:
        await world.may()
    assert caught.value.code is Code.UNAVAILABLE
    world.cluster.failure = None
    assert await world.code("good") is None
    assert await world.may()


async def test_an_allow_does_not_outlive_its_time_because_the_api_is_away(world: World) -> None:
    assert await world.code("good") is None
    assert await world.may()
    world.cluster.failure = AWAY
    world.clock.advance(7.9)
    assert await world.code("good") is None
    assert await world.may()
    world.clock.advance(0.1)
    assert await world.code("good") is Code.UNAVAILABLE
    with pytest.raises(HourglassError):
        await world.may()


async def test_garbage_is_asked_about_once_in_five_seconds(world: World) -> None:
    for _ in range(1000):
        assert await world.code("garbage") is Code.UNAUTHENTICATED
    assert len(world.cluster.asked_who) == 1
    world.clock.advance(5.0)
    await world.code("garbage")
    assert len(world.cluster.asked_who) == 2


async def test_a_peer_has_us_ask_about_ten_new_tokens_a_second_and_no_more(world: World) -> None:
    codes: list[Code | None] = []
    for number in range(10_000):  # 1000 a second, for 10 s
        codes.append(await world.code(f"garbage-{number}"))
        world.clock.advance(0.001)
    assert len(world.cluster.asked_who) <= 20 + 10 * 10 + 1
    assert codes.count(Code.RESOURCE_EXHAUSTED) > 9_800
    assert await world.code("good", peer="10.0.0.2") is None


async def test_a_token_that_was_good_is_asked_about_whatever_else_its_peer_sends(
    world: World,
) -> None:
    assert await world.code("good") is None
    world.clock.advance(9.0)
    for number in range(100):
        await world.code(f"garbage-{number}")
    assert await world.code("good") is None


async def test_the_answers_that_are_kept_are_bounded() -> None:
    world = World(memory=Memory(size=10))
    for number in range(1000):
        await world.may(wish=Attributes(verb="get", name=str(number)))
        await world.code(f"garbage-{number}", peer=str(number))
    held = vars(world.access)
    assert {len(held[kept]) for kept in ("_garbage", "_verdicts")} == {10}


async def test_a_token_is_not_trusted_beyond_its_expiry(world: World) -> None:
    token = jwt(exp=world.clock.wall().timestamp() + 3)
    world.cluster.tokens[token] = ANN
    _, until = await world.access.authenticate(token, "10.0.0.1")
    assert until == 3.0
    world.clock.advance(3.0)
    assert await world.code(token) is Code.UNAUTHENTICATED  # whatever the API still says


async def test_whoever_is_on_this_machine_is_allowed_all_without_a_question(world: World) -> None:
    assert UNPROVEN.proof is Proof.LOOPBACK
    assert await world.may(UNPROVEN)
    assert world.cluster.asked_may == []


def jwt(**claims: object) -> str:
    content = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{content}.c2ln"


def test_the_expiry_is_read_where_a_token_names_one() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert expiry_of(jwt(exp=int(moment))) == moment


@pytest.mark.parametrize(
    "token", ["", "static", "a.b.c", "a.%%%.c", jwt(), jwt(exp="soon"), "a.W10.c", "a.!.c.d"]
)
def test_a_token_that_names_no_expiry_has_none(token: str) -> None:
    assert expiry_of(token) is None
