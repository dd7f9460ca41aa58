"""A server of ours with TLS: certificates that change under it, and whom clients' ones name."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.control.rules import RULES
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc.access import Access
from hourglass_services.rpc.channel import ChannelSecurity, open_channel
from hourglass_services.rpc.guard import Guard
from hourglass_services.rpc.server import Limits, RpcServer, serving
from hourglass_services.rpc.status import from_rpc_error
from hourglass_services.rpc.tls import ServerCertificates, TlsFiles
from structlog.testing import capture_logs

from tests.support.certificates import Authority, Issued
from tests.support.mounted import Mounted, serial, served_serial
from tests.support.played_reviews import EveryMethod, PlayedReviews


@dataclass
class World:
    folder: Path
    authority: Authority
    mounted: Mounted
    reviews: PlayedReviews
    servicer: EveryMethod

    @property
    def ca_file(self) -> Path:
        path = self.folder / "server-ca.crt"
        path.write_bytes(self.authority.pem)
        return path

    @asynccontextmanager
    async def served(self, files: TlsFiles) -> AsyncIterator[str]:
        clock = SystemClock()
        guard = Guard(RULES, Access(self.reviews, clock), clock, required=True)
        server = RpcServer([(PERFORMER_CONTROL, self.servicer)], guard=guard)
        async with serving(server, "127.0.0.1:0", flag="-", tls=files, grace_seconds=1) as port:
            yield f"127.0.0.1:{port}"

    def security(self, client: Issued | None = None, token: str = "") -> ChannelSecurity:
        if client is None:
            return ChannelSecurity(ca_file=self.ca_file, token=token)
        certificate, key = client.write(self.folder, "client")
        return ChannelSecurity(
            ca_file=self.ca_file, certificate_file=certificate, key_file=key, token=token
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(
        tmp_path,
        Authority(),
        Mounted(tmp_path / "mounted"),
        PlayedReviews(rights={"ann", "carol"}),
        EveryMethod(PERFORMER_CONTROL),
    )


async def get(channel: grpc.aio.Channel) -> Code | None:
    stub: Any = control_pb2_grpc.PerformerControlStub(channel)
    try:
        await stub.GetPerformer(control_pb2.GetPerformerRequest(name="demo"), timeout=5)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).code
    return None


async def get_anew(address: str, security: ChannelSecurity | None = None) -> Code | None:
    """Call over a connection of its own."""
    async with open_channel(address, security) as channel:
        return await get(channel)


async def test_a_call_needs_tls_and_a_token(world: World) -> None:
    async with world.served(world.mounted.put(world.authority.server())) as address:
        assert await get_anew(address, world.security(token="good")) is None
        assert await get_anew(address, world.security()) is Code.UNAUTHENTICATED
        assert await get_anew(address) is Code.UNAVAILABLE  # plaintext
        assert world.servicer.entered == [("GetPerformer", "ann")]


async def test_certificates_change_every_second_and_no_call_is_lost(world: World) -> None:
    first = world.authority.server()
    done = asyncio.Event()
    codes: list[Code | None] = []

    async def calls(call: Callable[[], Any], pause: float) -> None:
        while not done.is_set():
            codes.append(await call())
            await asyncio.sleep(pause)

    async with world.served(world.mounted.put(first)) as address:
        security = world.security(token="good")
        async with open_channel(address, security) as kept, asyncio.TaskGroup() as group:
            stub: Any = control_pb2_grpc.PerformerControlStub(kept)
            watch = stub.WatchPerformers(control_pb2.WatchPerformersRequest())
            await watch.read()
            group.create_task(calls(lambda: get(kept), 0.005))
            group.create_task(calls(lambda: get_anew(address, security), 0.02))
            slowest = 0.0
            for _ in range(4):
                await asyncio.sleep(1.0)
                issued = world.authority.server()
                world.mounted.put(issued)
                began = monotonic()
                while await served_serial(address) != serial(issued.certificate):
                    await asyncio.sleep(0.05)
                slowest = max(slowest, monotonic() - began)
            done.set()
            assert not watch.done()
            watch.cancel()
    assert slowest < 5.0
    assert len(codes) > 100
    assert set(codes) == {None}


async def test_who_connects_and_says_nothing_is_let_go(world: World) -> None:
    files = world.mounted.put(world.authority.server())
    server = RpcServer([(PERFORMER_CONTROL, world.servicer)], Limits(handshake_seconds=0.5))
    async with serving(server, "127.0.0.1:0", flag="-", tls=files, grace_seconds=1) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        try:
            async with asyncio.timeout(5):
                assert {await reader.read(1) for reader, _ in silent} == {b""}
        finally:
            for _, writer in silent:
                writer.close()
        assert await get_anew(f"127.0.0.1:{port}", world.security()) is None


async def test_a_pair_that_does_not_belong_together_is_not_taken(world: World) -> None:
    first, second, third = (world.authority.server() for _ in range(3))
    mounted = world.mounted
    with capture_logs() as logs:
        async with world.served(mounted.put(first)) as address:
            mounted.put(Issued(second.certificate, third.key))
            for _ in range(5):
                assert await served_serial(address) == serial(first.certificate)
            mounted.put(Issued(b"", b""))
            assert await served_serial(address) == serial(first.certificate)
            (mounted.folder / "..data" / "tls.key").unlink()
            assert await served_serial(address) == serial(first.certificate)
            assert await get_anew(address, world.security(token="good")) is None
            mounted.put(third)
            assert await served_serial(address) == serial(third.certificate)
    told = [entry for entry in logs if entry["log_level"] == "error"]
    assert len(told) == 3  # once each, not with every handshake
    assert all("tls.key" in entry["error"] for entry in told)
    assert "PRIVATE" not in str(logs)


async def test_half_of_a_new_pair_is_not_taken_and_the_whole_is(tmp_path: Path) -> None:
    authority = Authority()
    first, second = authority.server(), authority.server()
    certificate, key = first.write(tmp_path, "tls")
    certificates = ServerCertificates(TlsFiles(certificate_file=certificate, key_file=key))
    assert certificates.fetch() is None
    certificate.write_bytes(second.certificate)
    assert certificates.fetch() is None
    key.write_bytes(second.key)
    assert certificates.fetch() is not None
    assert certificates.fetch() is None


@pytest.mark.parametrize("broken", ["another key", "no key", "absent", "no authority"])
async def test_a_server_does_not_start_with_files_of_no_use(world: World, broken: str) -> None:
    issued = world.authority.server()
    files = world.mounted.put(issued, client_ca=world.authority.pem)
    match broken:
        case "another key":
            world.mounted.put(Issued(issued.certificate, world.authority.server().key), b"")
        case "no key":
            world.mounted.put(Issued(issued.certificate, b"not PEM"), b"")
        case "absent":
            files.key_file.unlink()
        case _:
            world.mounted.put(issued, client_ca=b"not PEM")
    with pytest.raises(HourglassError) as caught:
        async with world.served(files):
            pass
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert str(world.mounted.folder) in caught.value.message


async def test_a_certificate_names_its_caller_and_a_token_counts_more(world: World) -> None:
    files = world.mounted.put(world.authority.server(), client_ca=world.authority.pem)
    ours = world.authority.client("carol", ["ops", "system:masters"])
    async with world.served(files) as address:
        assert await get_anew(address, world.security(ours)) is None
        assert await get_anew(address, world.security(ours, token="good")) is None
        assert await get_anew(address, world.security(ours, token="bad")) is Code.UNAUTHENTICATED
        assert await get_anew(address, world.security(token="good")) is Code.UNAVAILABLE
    assert world.servicer.entered == [("GetPerformer", "carol"), ("GetPerformer", "ann")]


@pytest.mark.parametrize("name", ["system:admin", ""])
async def test_a_certificate_gives_no_name_that_is_kubernetes_own(world: World, name: str) -> None:
    world.reviews.rights = {name, "ann"}
    files = world.mounted.put(world.authority.server(), client_ca=world.authority.pem)
    ours = world.authority.client(name, ["ops"], dns="carol")
    async with world.served(files) as address:
        assert await get_anew(address, world.security(ours)) is Code.UNAUTHENTICATED
        assert await get_anew(address, world.security(ours, token="good")) is None


async def test_clients_of_an_authority_that_was_replaced_are_refused(world: World) -> None:
    old, new = Authority("old clients"), Authority("new clients")
    issued = world.authority.server()
    async with world.served(world.mounted.put(issued, old.pem)) as address:
        with_old = world.security(old.client("carol"))
        assert await get_anew(address, with_old) is None
        world.mounted.put(issued, old.pem + new.pem)
        assert await get_anew(address, with_old) is None
        world.mounted.put(issued, new.pem)
        assert await get_anew(address, with_old) is Code.UNAVAILABLE
        assert await get_anew(address, world.security(new.client("carol"))) is None


async def test_a_session_from_before_does_not_outlive_its_authority(world: World) -> None:
    """TLS lets a client take up an earlier session without showing its certificate again."""
    old, new = Authority("old clients"), Authority("new clients")
    issued = world.authority.server()
    async with world.served(world.mounted.put(issued, old.pem)) as address:
        certificate, key = old.client("carol").write(world.folder, "old")
        context = ssl.create_default_context(cafile=str(world.ca_file))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        context.load_cert_chain(certificate, key)
        session, _ = await asyncio.to_thread(connected, context, address, None)
        world.mounted.put(issued, new.pem)
        try:
            _, reused = await asyncio.to_thread(connected, context, address, session)
        except (ssl.SSLError, OSError):
            reused = False
    assert not reused


def connected(context: ssl.SSLContext, address: str, session: Any) -> tuple[Any, bool]:
    """Return the session of one connection, and whether it took up the one that was given."""
    import socket

    host, _, port = address.partition(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as secured,
    ):
        return secured.session, bool(secured.session_reused)
