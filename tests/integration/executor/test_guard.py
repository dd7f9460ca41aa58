"""Who may manage an executor: every method of its services, as the descriptors list them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.v1 import executor_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.api.challenge import Challenges
from hourglass_executor.api.guard import TOKENS, ChallengeGuard
from hourglass_executor.api.rules import RULES, Asks
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.tasks.keccak import keccak256
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import AuthSignature, DeployRequest, EnvironmentVariable
from hourglass_services.executor.servicer import EXECUTOR_SERVICE, MANAGEMENT_SERVICE
from hourglass_services.inspection.servicer import INSPECTION_SERVICE
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.status import from_rpc_error
from structlog.testing import capture_logs

from tests.support.executor_process import running_executor
from tests.support.executor_values import AGGREGATOR_KEY, AVS, KEY, OPERATOR, settings
from tests.support.manual_clock import ManualClock


def methods() -> Iterator[MethodDescriptor]:
    for service in (EXECUTOR_SERVICE, MANAGEMENT_SERVICE, INSPECTION_SERVICE):
        yield from service.methods


PROVEN = [
    m
    for m in methods()
    if RULES[m.full_name.replace(f".{m.name}", f"/{m.name}")].asks is Asks.PROOF
]
OPEN = {m.name for m in methods()} - {m.name for m in PROVEN}


@asynccontextmanager
async def executor(tmp_path: Path, **changes: Any) -> AsyncIterator[grpc.aio.Channel]:
    given = settings(
        tmp_path,
        **{
            "avsPerformers": [],
            "authentication": {"enabled": True},
            "stopGrace": "100ms",
            **changes,
        },
    )
    async with running_executor(given) as at, open_channel(at.management) as channel:
        yield channel


async def call(
    channel: grpc.aio.Channel, method: MethodDescriptor, auth: AuthSignature | None
) -> HourglassError | None:
    """Call it with an empty request but for its proof; return how it was refused."""
    request: Any = GetMessageClass(method.input_type)()
    if auth is not None:
        request.auth.challenge_token = auth.challenge_token
        request.auth.signature = auth.signature
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            stream: Any = channel.unary_stream(path)(request.SerializeToString(), timeout=5)
            try:
                await stream.read()
            finally:
                stream.cancel()
        else:
            unary: Any = channel.unary_unary(path)
            await unary(request.SerializeToString(), timeout=5)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None


def signed(token: str, key: str = KEY) -> AuthSignature:
    signature = EcdsaSigner(key).sign_message(keccak256(token.encode()))
    return AuthSignature(challenge_token=token, signature=signature)


async def token(channel: grpc.aio.Channel) -> str:
    return (await ExecutorClient(channel).challenge(OPERATOR)).token


async def test_every_method_but_two_asks_for_a_token_that_the_operator_signed(
    tmp_path: Path,
) -> None:
    assert {"SubmitTask", "GetChallengeToken"} == OPEN
    assert len(PROVEN) >= 4
    async with executor(tmp_path) as channel:
        for method in PROVEN:
            proofs: list[AuthSignature | None] = [
                None,
                AuthSignature(challenge_token="", signature=b""),
                AuthSignature(challenge_token=await token(channel), signature=b""),
                AuthSignature(challenge_token=await token(channel), signature=b"\1" * 65),
                signed("0" * 64),
                signed(await token(channel), AGGREGATOR_KEY),
            ]
            for proof in proofs:
                refused = await call(channel, method, proof)
                assert refused is not None, method.full_name
                assert refused.code is Code.UNAUTHENTICATED, f"{method.full_name}: {refused}"
            good = signed(await token(channel))
            let_in = await call(channel, method, good)
            assert let_in is None or let_in.code is not Code.UNAUTHENTICATED, method.full_name
            again = await call(channel, method, good)
            assert again is not None
            assert again.code is Code.UNAUTHENTICATED, f"{method.full_name} took a token twice"


async def test_a_token_is_good_for_one_of_two_calls_at_once(tmp_path: Path) -> None:
    async with executor(tmp_path) as channel:
        (lists,) = [m for m in PROVEN if m.name == "ListPerformers"]
        good = signed(await token(channel))
        ends = await asyncio.gather(*(call(channel, lists, good) for _ in range(20)))
        assert [end.code for end in ends if end].count(Code.UNAUTHENTICATED) == 19


async def test_without_authentication_a_proof_is_refused_and_no_token_is_given(
    tmp_path: Path,
) -> None:
    async with executor(tmp_path, authentication={}) as channel:
        for method in PROVEN:
            refused = await call(channel, method, signed("0" * 64))
            assert refused is not None
            assert refused.code is Code.UNIMPLEMENTED
            assert refused.message == "authentication is not enabled"
        for address, code, text in (
            ("", Code.INVALID_ARGUMENT, "operator address is required"),
            (AVS, Code.PERMISSION_DENIED, "operator address mismatch"),
            (OPERATOR.upper().replace("0X", "0x"), Code.UNIMPLEMENTED, "is not enabled"),
        ):
            with pytest.raises(HourglassError, match=text) as caught:
                await ExecutorClient(channel).challenge(address)
            assert caught.value.code is code


async def test_one_address_gets_so_many_tokens_and_is_told_when_to_come_back(
    tmp_path: Path,
) -> None:
    async with executor(tmp_path) as channel:
        asking = (ExecutorClient(channel).challenge(OPERATOR) for _ in range(TOKENS.burst + 200))
        ends = await asyncio.gather(*asking, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, HourglassError)]
    assert refused
    assert {one.reason for one in refused} == {"TOO_MANY_TOKENS"}
    assert all(one.retry_after for one in refused)


async def test_a_change_is_recorded_before_it_is_made_and_without_secrets(tmp_path: Path) -> None:
    request = DeployRequest(
        avs_address=AVS,
        digest="sha256:1",
        registry="nothing-of-this-name",
        environment=(EnvironmentVariable(name="PASSWORD", value="hunter2-canary"),),
    )
    with capture_logs() as logs:
        async with executor(tmp_path) as channel:
            client = ExecutorClient(channel)
            with pytest.raises(HourglassError):
                await client.remove("performer-9", auth=signed(await token(channel)))
            with pytest.raises(HourglassError):
                await client.remove("performer-9", auth=signed("1" * 64))
            auth = signed(await token(channel))
            with pytest.raises(HourglassError):
                await client.deploy(_with(request, auth), timeout_seconds=5)
            await client.list(auth=signed(await token(channel)))
    lines = [(n, one) for n, one in enumerate(logs) if one["event"] in ("allowed", "denied")]
    told = [(one["event"], one["method"].rpartition("/")[2]) for _, one in lines]
    assert told == [
        ("allowed", "RemovePerformer"),
        ("denied", "RemovePerformer"),
        ("allowed", "DeployArtifact"),
    ]
    first, second, third = (one for _, one in lines)
    assert (first["who"], first["proof"], first["peer"]) == (OPERATOR, "token", "127.0.0.1")
    assert first["changes"] == {"performerId": "performer-9"}
    assert first["request_id"]
    assert (second["who"], second["reason"]) == ("", "AUTHENTICATION")
    assert third["changes"] == {
        "avsAddress": AVS,
        "digest": "sha256:1",
        "registryUrl": "nothing-of-this-name",
        "env": ["PASSWORD"],
    }
    refusals = [n for n, one in enumerate(logs) if one["event"] == "call refused"]
    assert lines[0][0] < refusals[0]
    assert "hunter2" not in str(logs)
    assert auth.challenge_token not in str(logs)


def _with(request: DeployRequest, auth: AuthSignature) -> DeployRequest:
    from dataclasses import replace

    return replace(request, auth=auth)


async def test_without_authentication_the_record_says_that_nobody_knows_who(
    tmp_path: Path,
) -> None:
    with capture_logs() as logs:
        async with executor(tmp_path, authentication={}) as channel:
            with pytest.raises(HourglassError):
                await ExecutorClient(channel).remove("performer-9")
    (line,) = [one for one in logs if one["event"] == "allowed"]
    assert (line["who"], line["proof"]) == ("local", "loopback")


def test_a_method_without_a_rule_is_not_served() -> None:
    challenges = Challenges(
        operator_address=OPERATOR, signer=OPERATOR, new_token=lambda: "", clock=ManualClock()
    )
    guard = ChallengeGuard(challenges, OPERATOR, ManualClock())
    guard.check([EXECUTOR_SERVICE, MANAGEMENT_SERVICE, INSPECTION_SERVICE])
    unknown: Any = SimpleNamespace(
        full_name=MANAGEMENT_SERVICE.full_name,
        methods=[SimpleNamespace(name="Reboot", input_type=None)],
    )
    with pytest.raises(RuntimeError, match="Reboot has no access rule"):
        guard.check([unknown])
    bare: Any = SimpleNamespace(
        full_name=MANAGEMENT_SERVICE.full_name,
        methods=[
            SimpleNamespace(
                name="ListPerformers",
                input_type=executor_pb2.GetChallengeTokenRequest.DESCRIPTOR,
            )
        ],
    )
    with pytest.raises(RuntimeError, match="has no field auth"):
        guard.check([bare])
