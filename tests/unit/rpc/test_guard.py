"""What a guard lets through to a servicer, and what the others are told. Over a real socket."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from hourglass_common.domain.access import Attributes
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.control.rules import RULES
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc import audit
from hourglass_services.rpc.access import Access, Memory
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.guard import CallerLimits, Guard, Rule
from hourglass_services.rpc.server import RpcServer, serving
from hourglass_services.rpc.status import from_rpc_error
from structlog.testing import capture_logs

from tests.support.played_reviews import ANN, AWAY, EveryMethod, PlayedReviews

GOOD = (("authorization", "Bearer good"),)
BOB = ANN.__class__(name="bob")


@dataclass
class Guarded:
    """A running PerformerControl of empty answers behind a guard."""

    reviews: PlayedReviews
    servicer: Any
    channel: grpc.aio.Channel

    async def get(
        self, metadata: Sequence[tuple[str, str]] = GOOD, name: str = "demo", namespace: str = ""
    ) -> Code | None:
        try:
            await self.ask(metadata, name, namespace)
        except HourglassError as error:
            return error.code
        return None

    async def ask(
        self, metadata: Sequence[tuple[str, str]] = GOOD, name: str = "demo", namespace: str = ""
    ) -> None:
        request = control_pb2.GetPerformerRequest(name=name, namespace=namespace)
        try:
            await self.stub.GetPerformer(request, metadata=metadata, timeout=5)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    @property
    def stub(self) -> Any:
        return control_pb2_grpc.PerformerControlStub(self.channel)


@dataclass
class Given:
    """What differs between the servers of these tests."""

    reviews: PlayedReviews = field(default_factory=lambda: PlayedReviews(rights={"ann"}))
    servicer: Any = None
    required: bool = True
    limits: CallerLimits | None = None
    memory: Memory | None = None
    address: str = "127.0.0.1:0"


@asynccontextmanager
async def guarded(given: Given | None = None) -> AsyncIterator[Guarded]:
    given = given or Given()
    servicer = given.servicer or EveryMethod(PERFORMER_CONTROL)
    clock = SystemClock()
    access = Access(given.reviews, clock, given.memory)
    guard = Guard(RULES, access, clock, required=given.required, limits=given.limits)
    server = RpcServer([(PERFORMER_CONTROL, servicer)], guard=guard)
    async with (
        serving(server, given.address, flag="--address", insecure=True, grace_seconds=1) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Guarded(given.reviews, servicer, channel)


async def test_a_caller_with_the_right_gets_through_by_name() -> None:
    async with guarded() as served:
        assert await served.get() is None
        assert served.servicer.entered == [("GetPerformer", "ann")]
        assert served.reviews.asked_may == [
            ("ann", Attributes(verb="get", namespace="default", name="demo"))
        ]


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ([], "NO_CREDENTIALS"),
        (["Bearer garbage"], "BAD_TOKEN"),
        (["Basic Z29vZDpnb29k"], "BAD_CREDENTIALS"),
        (["good"], "BAD_CREDENTIALS"),
        (["Bearer "], "BAD_CREDENTIALS"),
        (["Bearer good", "Bearer garbage"], "BAD_CREDENTIALS"),
    ],
)
async def test_a_stranger_is_refused_before_anything_is_read(
    authorization: list[str], reason: str
) -> None:
    metadata = tuple(("authorization", value) for value in authorization)
    async with guarded() as served:
        call: Any = served.channel.unary_unary(f"/{PERFORMER_CONTROL.full_name}/GetPerformer")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff", metadata=metadata, timeout=5)  # malformed, and nobody looks
        error = from_rpc_error(caught.value)
        assert (error.code, error.reason) == (Code.UNAUTHENTICATED, reason)
        assert served.servicer.entered == []
        assert served.reviews.asked_may == []


async def test_a_caller_without_the_right_is_told_which_one_and_how_to_get_it() -> None:
    reviews = PlayedReviews(rights=set())
    async with guarded(Given(reviews)) as served:
        with pytest.raises(HourglassError) as caught:
            await served.ask(namespace="team-a")
        told = caught.value.message
        assert caught.value.code is Code.PERMISSION_DENIED
        assert told.startswith('"ann" may not get performers "demo" in namespace "team-a"; a Role')
        assert "kubectl auth can-i get performers.hourglass.eigenlayer.io/demo -n team-a" in told
        assert served.servicer.entered == []


async def test_what_is_denied_is_told_apart_by_the_request_alone() -> None:
    async with guarded(Given(PlayedReviews(rights=set()))) as served:
        told: list[str] = []
        for name in ("there", "gone!"):
            with pytest.raises(HourglassError) as caught:
                await served.ask(name=name)
            told.append(caught.value.message.replace(name, "NAME").replace("'", ""))
        assert told[0] == told[1]


async def test_while_the_api_is_away_nobody_gets_through_and_is_told_to_try_again() -> None:
    async with guarded() as served:
        served.reviews.failure = AWAY
        assert await served.get() is Code.UNAVAILABLE
        served.reviews.failure = None
        assert await served.get() is None


async def test_on_this_machine_without_authentication_nobody_is_asked_about() -> None:
    async with guarded(Given(required=False)) as served:
        assert await served.get(()) is None
        assert await served.get((("authorization", "Bearer garbage"),)) is None
        assert served.servicer.entered == [("GetPerformer", "local")] * 2
        assert not served.reviews.asked_who
        assert not served.reviews.asked_may


@pytest.mark.parametrize("required", [True, False])
async def test_a_token_in_plaintext_over_a_network_is_refused(required: bool) -> None:
    given = Given(required=required, address="0.0.0.0:0")
    async with guarded(given) as served:
        with pytest.raises(HourglassError) as caught:
            await served.ask()
        assert caught.value.reason == "INSECURE_TOKEN"
        assert served.reviews.asked_who == []


async def test_names_that_none_can_have_are_not_sent_to_the_cluster() -> None:
    async with guarded() as served:
        assert await served.get(name="x" * 300_000) is Code.INVALID_ARGUMENT
        assert await served.get(namespace="x" * 64) is Code.INVALID_ARGUMENT
        assert served.reviews.asked_may == []


def test_a_method_without_a_rule_is_not_served() -> None:
    access = Access(PlayedReviews(), SystemClock())
    some = {name: rule for name, rule in RULES.items() if "ListRevisions" not in name}
    guard = Guard(some, access, SystemClock(), required=True)
    with pytest.raises(RuntimeError, match="PerformerControl/ListRevisions"):
        RpcServer([(PERFORMER_CONTROL, object())], guard=guard)


def test_a_rule_for_what_is_not_there_is_an_error_too() -> None:
    more = {**RULES, "a.Service/Gone": Rule(asks=lambda _: ())}
    guard = Guard(more, Access(PlayedReviews(), SystemClock()), SystemClock(), required=True)
    with pytest.raises(RuntimeError, match=r"a\.Service/Gone"):
        RpcServer([(PERFORMER_CONTROL, object())], guard=guard)


async def test_health_is_open_and_reflection_to_whoever_is_known() -> None:
    reviews = PlayedReviews(rights=set())
    async with guarded(Given(reviews, limits=CallerLimits(per_second=0.01, burst=1))) as served:
        health: Any = health_pb2_grpc.HealthStub(served.channel)
        for _ in range(5):  # no rate limit either
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        for version in ("v1", "v1alpha"):
            with capture_logs() as logs:
                assert await services(served.channel, version, ()) is Code.UNAUTHENTICATED
            assert [entry["event"] for entry in audited(logs)] == ["denied"]
            named = await services(served.channel, version, GOOD)
            assert PERFORMER_CONTROL.full_name in str(named)


async def services(channel: grpc.aio.Channel, version: str, metadata: Any) -> Any:
    """Return the services that reflection names, or the code of its refusal."""
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    call: Any = channel.stream_stream(
        path,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    try:
        async for answer in call(iter([asked]), metadata=metadata, timeout=5):
            return [service.name for service in answer.list_services_response.service]
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).code
    return None


async def test_a_caller_is_slowed_down_and_others_are_not() -> None:
    reviews = PlayedReviews({"good": ANN, "bobs": BOB}, {"ann", "bob"})
    limits = CallerLimits(per_second=0.5, burst=3)
    async with guarded(Given(reviews, limits=limits)) as served:
        assert [await served.get() for _ in range(3)] == [None] * 3
        with pytest.raises(HourglassError) as caught:
            await served.ask()
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        assert caught.value.retry_after == pytest.approx(2.0, abs=0.5)
        assert await served.get((("authorization", "Bearer bobs"),)) is None


class Waits(EveryMethod):
    """GetPerformer waits until it is released."""

    def __init__(self) -> None:
        super().__init__(PERFORMER_CONTROL)
        self.release = asyncio.Event()
        self.reached = asyncio.Semaphore(0)
        self.GetPerformer = self._wait

    async def _wait(self, _: Any, __: Any) -> Any:
        self.reached.release()
        await self.release.wait()
        return control_pb2.GetPerformerResponse()


async def test_a_caller_makes_so_many_calls_at_a_time_and_gets_them_back() -> None:
    reviews = PlayedReviews({"good": ANN, "bobs": BOB}, {"ann", "bob"})
    limits = CallerLimits(calls=2, streams=1)
    async with guarded(Given(reviews, Waits(), limits=limits)) as served:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(served.get()) for _ in range(2)]
            for _ in running:
                await served.servicer.reached.acquire()
            assert await served.get() is Code.RESOURCE_EXHAUSTED
            others = group.create_task(served.get((("authorization", "Bearer bobs"),)))
            await served.servicer.reached.acquire()
            served.servicer.release.set()
        assert [task.result() for task in (*running, others)] == [None] * 3
        assert await served.get() is None


async def test_streams_are_counted_apart_from_calls() -> None:
    async with guarded(Given(limits=CallerLimits(calls=1, streams=1))) as served:
        request = control_pb2.WatchPerformersRequest(namespace="team-a")
        watch = served.stub.WatchPerformers(request, metadata=GOOD)
        await watch.read()
        assert await served.get() is None
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.stub.WatchPerformers(request, metadata=GOOD).read()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        watch.cancel()


FAST = Memory(allowed=0.2, denied=0.05)


async def test_a_stream_ends_once_its_right_is_taken_away() -> None:
    async with guarded(Given(memory=FAST)) as served:
        request = control_pb2.WatchPerformersRequest(namespace="team-a")
        watch = served.stub.WatchPerformers(request, metadata=GOOD, timeout=10)
        await watch.read()
        await asyncio.sleep(0.5)  # longer than an answer holds: it was asked again, and goes on
        assert not watch.done()
        served.reviews.rights.clear()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with asyncio.timeout(5):
                await watch.read()
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_stream_ends_once_its_token_is_not_good_any_more() -> None:
    async with guarded(Given(memory=FAST)) as served:
        request = control_pb2.WatchPerformersRequest(namespace="team-a")
        watch = served.stub.WatchPerformers(request, metadata=GOOD, timeout=10)
        await watch.read()
        served.reviews.tokens.clear()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with asyncio.timeout(5):
                await watch.read()
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_stream_that_ends_by_itself_ends_well() -> None:
    async with guarded() as served:
        served.servicer.stop.set()
        request = control_pb2.WatchPerformersRequest(namespace="team-a")
        answers = [a async for a in served.stub.WatchPerformers(request, metadata=GOOD, timeout=5)]
        assert len(answers) == 1


def audited(logs: Sequence[Any]) -> list[Any]:
    return [entry for entry in logs if "rights" in entry or "proof" in entry]


async def test_a_change_is_recorded_before_it_is_made_and_without_secrets() -> None:
    spec = control_pb2.PerformerSpec(
        image="demo:2",
        config=control_pb2.PerformerConfig(environment={"PASSWORD": "canary-1"}, args=["canary-2"]),
    )
    with capture_logs() as logs:
        recorded_first: list[int] = []

        class Creates(EveryMethod):
            def __init__(self) -> None:
                super().__init__(PERFORMER_CONTROL)
                self.CreatePerformer = self._create

            async def _create(self, _: Any, __: Any) -> Any:
                recorded_first.append(len(audited(logs)))
                return control_pb2.CreatePerformerResponse()

        async with guarded(Given(servicer=Creates())) as served:
            request = control_pb2.CreatePerformerRequest(namespace="a", name="demo", spec=spec)
            metadata = (*GOOD, ("x-request-id", "r-1"))
            await served.stub.CreatePerformer(request, metadata=metadata, timeout=5)
    assert recorded_first == [1]
    (record,) = audited(logs)
    assert record["event"] == "allowed"
    assert (record["who"], record["proof"], record["request_id"]) == ("ann", "token", "r-1")
    assert (record["namespace"], record["name"]) == ("a", "demo")
    assert record["method"] == f"{PERFORMER_CONTROL.full_name}/CreatePerformer"
    assert record["rights"] == ['create performers "demo" in namespace "a"']
    assert record["changes"]["spec.image"] == "demo:2"
    assert "spec.config.environment[PASSWORD]" in record["changes"]
    assert "canary" not in str(logs)
    assert "good" not in str(logs).replace("a good", "")


async def test_every_denial_is_recorded_and_a_read_that_is_allowed_is_not() -> None:
    reviews = PlayedReviews({"good": ANN, "bobs": BOB}, {"ann"})
    with capture_logs() as logs:
        async with guarded(Given(reviews)) as served:
            await served.get()
            await served.get((("authorization", "Bearer bobs"),), namespace="team-a")
            await served.get((("authorization", "Bearer garbage"),))
    denied, unknown = audited(logs)
    assert (denied["event"], denied["who"], denied["reason"]) == ("denied", "bob", "FORBIDDEN")
    assert (denied["namespace"], denied["name"]) == ("team-a", "demo")
    assert (unknown["event"], unknown["who"], unknown["reason"]) == ("denied", "", "BAD_TOKEN")
    assert unknown["peer"] == "127.0.0.1"
    assert "garbage" not in str(logs)
    assert "bobs" not in str(logs)


async def test_a_denial_by_the_servicer_is_recorded_and_repeats_no_secret() -> None:
    class Refuses(EveryMethod):
        def __init__(self) -> None:
            super().__init__(PERFORMER_CONTROL)
            self.CreatePerformer = self._create

        async def _create(self, request: Any, _: Any) -> Any:
            value = request.spec.config.environment["A"]
            raise HourglassError(Code.PERMISSION_DENIED, f"no {value!r}", reason="SECRET_FORBIDDEN")

    config = control_pb2.PerformerConfig(environment={"A": "canary-1"})
    request = control_pb2.CreatePerformerRequest(
        name="demo", spec=control_pb2.PerformerSpec(config=config)
    )
    with capture_logs() as logs:
        async with guarded(Given(servicer=Refuses())) as served:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await served.stub.CreatePerformer(request, metadata=GOOD, timeout=5)
    assert [entry["event"] for entry in audited(logs)] == ["allowed", "denied"]
    assert caught.value.details() == "no '(not shown)'"
    assert "canary" not in str(logs)
    assert b"canary" not in b"".join(
        value if isinstance(value, bytes) else value.encode()
        for _, value in caught.value.trailing_metadata() or ()
    )


def test_records_are_written_whatever_the_level_of_the_log() -> None:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        assert logging.getLogger(audit.LOGGER).isEnabledFor(logging.INFO)
        assert not logging.getLogger("hourglass_services.rpc.handlers").isEnabledFor(logging.INFO)
    finally:
        root.setLevel(before)
