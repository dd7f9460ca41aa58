"""Every method with every kind of credential over every kind of connection, on a real API server.

The methods are those of the descriptors: a new one has no cell in ``RIGHTS`` and fails here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hourglass_common.domain.access import Attributes
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import SERVICE_ACCOUNTS
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_operator.control.reviews import ClusterReviews
from hourglass_operator.control.server import make_guard
from hourglass_operator.settings import ControlSettings
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc.access import Access, Memory
from hourglass_services.rpc.buckets import Rate
from hourglass_services.rpc.channel import ChannelSecurity, open_channel
from hourglass_services.rpc.server import RpcServer, serving
from hourglass_services.rpc.status import from_rpc_error
from hourglass_services.rpc.tls import TlsFiles

from tests.support.accounts import AUDIENCE, RBAC_GROUP, Accounts
from tests.support.certificates import Authority
from tests.support.control_plane import ControlPlane
from tests.support.control_rights import ALL_RIGHTS, RIGHTS
from tests.support.manual_clock import ManualClock
from tests.support.played_reviews import EveryMethod

pytestmark = pytest.mark.real_api

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]
REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
METHODS = [*PERFORMER_CONTROL.methods, *HEALTH.methods, *REFLECTION.methods]

NOBODYS = ("garbage", "expired", "wrong audience", "API server's audience", "deleted account")
STRANGERS = ("account of another namespace", "every right but this")
CREDENTIALS = ("none", *NOBODYS, *STRANGERS, "right")
CONNECTIONS = ("plaintext loopback", "TLS", "mTLS", "mTLS with a wrong CA")


def expected(method: MethodDescriptor, credential: str, connection: str) -> Code | None:
    """Return what a call is to be answered with, None for an answer."""
    service = method.containing_service
    if connection == "mTLS with a wrong CA":
        return Code.UNAVAILABLE
    if service is HEALTH:
        return None
    if credential in NOBODYS or (credential == "none" and connection != "mTLS"):
        return Code.UNAUTHENTICATED
    if service is REFLECTION or credential == "right":
        return None
    return Code.PERMISSION_DENIED  # with mTLS and no token: the certificate's user, without rights


@dataclass
class World:
    """The servers and the credentials of the matrix."""

    namespace: str
    tokens: Mapping[str, str]
    channels: Mapping[str, str]
    security: Mapping[str, ChannelSecurity]
    servicer: EveryMethod
    accounts: Accounts

    def shown(self, credential: str, method: MethodDescriptor) -> list[str]:
        """Return the tokens to try: of rights that a method needs, each one is left out once."""
        if credential != "every right but this":
            return [self.tokens[credential]]
        return [
            self.tokens[f"but {right}"] for right in RIGHTS.get(method.name, ["get performers"])
        ]

    async def call(
        self, method: MethodDescriptor, channel: grpc.aio.Channel, token: str, **fields: str
    ) -> Code | None:
        """Return the code of the answer, None if there was one."""
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        kind = GetMessageClass(method.input_type)
        names = {field.name for field in method.input_type.fields}
        given = {"namespace": self.namespace, "name": "demo", **fields}
        request = kind(**{k: v for k, v in given.items() if k in names})
        path = f"/{method.containing_service.full_name}/{method.name}"
        try:
            await _first_answer(method, channel, path, request, metadata)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error).code
        return None


async def _first_answer(
    method: MethodDescriptor, channel: grpc.aio.Channel, path: str, request: Any, metadata: Any
) -> None:
    content = request.SerializeToString()
    call: Any
    if method.client_streaming:
        content = reflection_pb2.ServerReflectionRequest(list_services="x").SerializeToString()
        call = channel.stream_stream(path)(iter([content]), metadata=metadata, timeout=10)
    elif method.server_streaming:
        call = channel.unary_stream(path)(content, metadata=metadata, timeout=10)
    else:
        await channel.unary_unary(path)(content, metadata=metadata, timeout=10)
        return
    assert await call.read() is not grpc.aio.EOF
    call.cancel()


@pytest.fixture
async def accounts(real_api: ControlPlane) -> AsyncIterator[Accounts]:
    connection = await connect(real_api.kubeconfig)
    async with KubeClient(connection, user_agent="test") as kube:
        made = Accounts(kube, real_api.kubeconfig.parent / "sa.key")
        yield made
        await made.close()


@pytest.fixture
async def world(
    real_api: ControlPlane, accounts: Accounts, namespace: str, tmp_path: Path
) -> AsyncIterator[World]:
    await accounts.namespace(namespace)
    tokens = await _tokens(accounts, namespace)
    servicer = EveryMethod(PERFORMER_CONTROL)
    clients, others, own = Authority("clients"), Authority("others"), Authority("own")
    certificate, key = own.server().write(tmp_path, "server")
    for name, authority in (("clients", clients), ("own", own)):
        (tmp_path / f"{name}.ca").write_bytes(authority.pem)
    files = TlsFiles(certificate_file=certificate, key_file=key)
    mutual = TlsFiles(
        certificate_file=certificate, key_file=key, client_ca_file=tmp_path / "clients.ca"
    )
    async with AsyncExitStack() as stack:
        connection = await connect(real_api.kubeconfig)
        kube = await stack.enter_async_context(KubeClient(connection))

        async def serve(tls: TlsFiles | None) -> str:
            reviews = ClusterReviews(kube, AUDIENCE)
            access = Access(reviews, SystemClock(), new_tokens=Rate(1000, 1000))
            settings = ControlSettings(authentication="Required")
            guard = make_guard(access, settings, SystemClock())
            server = RpcServer([(PERFORMER_CONTROL, servicer)], guard=guard)
            running = serving(server, "127.0.0.1:0", flag="-", tls=tls, grace_seconds=1)
            return f"127.0.0.1:{await stack.enter_async_context(running)}"

        plain, secured, both = [await serve(tls) for tls in (None, files, mutual)]
        ca_file = tmp_path / "own.ca"

        def shown(authority: Authority, name: str) -> ChannelSecurity:
            ours, its_key = authority.client(name, ["ops"]).write(tmp_path, f"{name}-client")
            return ChannelSecurity(ca_file=ca_file, certificate_file=ours, key_file=its_key)

        yield World(
            namespace,
            tokens,
            dict(zip(CONNECTIONS, (plain, secured, both, both), strict=True)),
            {
                "plaintext loopback": ChannelSecurity(plaintext=True),
                "TLS": ChannelSecurity(ca_file=ca_file),
                "mTLS": shown(clients, f"user-{namespace}"),
                "mTLS with a wrong CA": shown(others, "wrong"),
            },
            servicer,
            accounts,
        )


async def _tokens(accounts: Accounts, namespace: str) -> dict[str, str]:
    """Return a token of every kind; "but X" is of an account with every right except X."""
    other = await accounts.namespace(f"{namespace}-b")
    right = await accounts.account(namespace, "right", ALL_RIGHTS)
    found = {
        "none": "",
        "garbage": "garbage",
        "right": right,
        "expired": accounts.expired(right),
        "wrong audience": await accounts.token(namespace, "right", "another"),
        "API server's audience": await accounts.token(namespace, "right", ""),
        "deleted account": await accounts.account(namespace, "deleted", ALL_RIGHTS),
        STRANGERS[0]: await accounts.account(other, "right", ALL_RIGHTS),
    }
    await accounts.kube.delete(SERVICE_ACCOUNTS, namespace, "deleted")
    for number, right in enumerate(sorted(ALL_RIGHTS)):
        has = ALL_RIGHTS - {right}
        found[f"but {right}"] = await accounts.account(namespace, f"but-{number}", has)
    return found


def test_every_method_has_a_cell() -> None:
    assert {method.name for method in PERFORMER_CONTROL.methods} == set(RIGHTS)


async def test_of_all_cells_none_allows_or_denies_wrongly(world: World) -> None:
    wrong: list[str] = []
    cells: set[tuple[str, str, str]] = set()
    for connection in CONNECTIONS:
        address, security = world.channels[connection], world.security[connection]
        async with open_channel(address, security) as channel:
            for credential, method in product(CREDENTIALS, METHODS):
                wanted = expected(method, credential, connection)
                enters = method.containing_service is PERFORMER_CONTROL and wanted is None
                for token in world.shown(credential, method):
                    world.servicer.entered.clear()
                    found = await world.call(method, channel, token)
                    if found is not wanted or bool(world.servicer.entered) is not enters:
                        cell = f"{method.name} with {credential} over {connection}"
                        wrong.append(f"{cell}: {found}, not {wanted}; {world.servicer.entered}")
                cells.add((connection, credential, method.full_name))
    assert not wrong
    assert len(cells) == len(CONNECTIONS) * len(CREDENTIALS) * len(METHODS)


async def test_the_right_in_one_namespace_is_none_in_all_of_them(world: World) -> None:
    connection = "plaintext loopback"
    async with open_channel(world.channels[connection], world.security[connection]) as channel:
        for name in ("ListPerformers", "WatchPerformers"):
            method = PERFORMER_CONTROL.methods_by_name[name]
            token = world.tokens["right"]
            assert await world.call(method, channel, token) is None
            for elsewhere in ("", "default"):
                found = await world.call(method, channel, token, namespace=elsewhere)
                assert found is Code.PERMISSION_DENIED


async def test_a_certificates_user_and_groups_have_their_own_rights(world: World) -> None:
    get = PERFORMER_CONTROL.methods_by_name["GetPerformer"]
    scale = PERFORMER_CONTROL.methods_by_name["ScalePerformer"]
    user = {"apiGroup": RBAC_GROUP, "kind": "User", "name": f"user-{world.namespace}"}
    group = {"apiGroup": RBAC_GROUP, "kind": "Group", "name": "ops"}
    await world.accounts.grant(world.namespace, "user", ["get performers"], subject=user)
    await world.accounts.grant(world.namespace, "group", ["update performers/scale"], subject=group)
    async with open_channel(world.channels["mTLS"], world.security["mTLS"]) as channel:
        assert await world.call(get, channel, "") is None
        assert await world.call(scale, channel, "") is None
        delete = PERFORMER_CONTROL.methods_by_name["DeletePerformer"]
        assert await world.call(delete, channel, "") is Code.PERMISSION_DENIED


async def test_a_right_that_was_taken_away_is_gone_within_ten_seconds(
    real_api: ControlPlane, accounts: Accounts, namespace: str
) -> None:
    """Asked again when the answer is over, not later: the clock is the test's."""
    await accounts.namespace(namespace)
    token = await accounts.account(namespace, "right", ALL_RIGHTS)
    clock = ManualClock()
    wish = Attributes(verb="update", subresource="promote", namespace=namespace, name="demo")
    async with KubeClient(await connect(real_api.kubeconfig)) as kube:
        access = Access(ClusterReviews(kube, AUDIENCE), clock)
        caller, _ = await access.authenticate(token, "10.0.0.1")
        assert caller.name == f"system:serviceaccount:{namespace}:right"
        assert (await access.ask(caller, wish)).allowed
        await accounts.revoke(namespace, "right")
        clock.advance(10.0)
        assert not (await access.ask(caller, wish)).allowed


async def test_a_watch_ends_soon_after_its_right_was_taken_away(
    real_api: ControlPlane, accounts: Accounts, namespace: str
) -> None:
    """With answers that hold for half a second instead of eight."""
    await accounts.namespace(namespace)
    token = await accounts.account(namespace, "right", ALL_RIGHTS)
    async with KubeClient(await connect(real_api.kubeconfig)) as kube:
        reviews = ClusterReviews(kube, AUDIENCE)
        access = Access(reviews, SystemClock(), Memory(allowed=0.5))
        guard = make_guard(access, ControlSettings(authentication="Required"), SystemClock())
        server = RpcServer([(PERFORMER_CONTROL, EveryMethod(PERFORMER_CONTROL))], guard=guard)
        security = ChannelSecurity(plaintext=True, token=token)
        async with (
            serving(server, "127.0.0.1:0", flag="-", grace_seconds=1) as port,
            open_channel(f"127.0.0.1:{port}", security) as channel,
        ):
            stub: Any = control_pb2_grpc.PerformerControlStub(channel)
            watch = stub.WatchPerformers(
                control_pb2.WatchPerformersRequest(namespace=namespace), timeout=30
            )
            await watch.read()
            await asyncio.sleep(1.2)
            assert not watch.done()
            await accounts.revoke(namespace, "right")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async with asyncio.timeout(5):
                    await watch.read()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_what_could_not_be_asked_is_denied(
    real_api: ControlPlane, accounts: Accounts, namespace: str
) -> None:
    """The operator's account may not ask: the API's words go no further, and nothing is allowed."""
    await accounts.namespace(namespace)
    token = await accounts.account(namespace, "right", ALL_RIGHTS, audience="")
    good = await accounts.token(namespace, "right")
    connection = await connect(real_api.kubeconfig)

    async def powerless() -> str:
        return f"Bearer {token}"

    weak = connection.__class__(connection.server, connection.ssl_context, powerless)
    async with KubeClient(weak) as kube:
        access = Access(ClusterReviews(kube, AUDIENCE), SystemClock())
        with pytest.raises(HourglassError) as caught:
            await access.authenticate(good, "10.0.0.1")
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.retry_after
    assert "cannot create" not in str(caught.value)
