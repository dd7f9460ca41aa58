"""What a channel of ours shows to a server, and which servers it takes for its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.rpc.channel import ChannelSecurity, open_channel

from tests.support.certificates import Authority


async def shown(channel: grpc.aio.Channel) -> str:
    """Return the authorization that a server sees in a unary call."""
    call: Any = channel.unary_unary("/test.Mirror/Unary")
    return bytes(await call(b"", timeout=5)).decode()


async def shown_in_a_stream(channel: grpc.aio.Channel) -> str:
    call: Any = channel.unary_stream("/test.Mirror/Stream")
    return "".join([bytes(part).decode() async for part in call(b"", timeout=5)])


def _seen(context: Any) -> bytes:
    return "|".join(v for k, v in context.invocation_metadata() if k == "authorization").encode()


@asynccontextmanager
async def mirror(credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[int]:
    """Serve methods that answer with the authorization they were called with."""

    async def unary(_: bytes, context: Any) -> bytes:
        return _seen(context)

    async def stream(_: bytes, context: Any) -> AsyncIterator[bytes]:
        yield _seen(context)

    server = grpc.aio.server()
    handlers: dict[str, Any] = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Mirror", handlers),)
    )
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_bytes(authority.pem)
    return path


def tls(authority: Authority, *names: str, clients: Authority | None = None) -> Any:
    made = authority.server(*names)
    return grpc.ssl_server_credentials(
        [(made.key, made.certificate)], clients.pem if clients else None, clients is not None
    )


async def test_a_token_is_shown_in_every_call_over_tls(authority: Authority, ca_file: Path) -> None:
    security = ChannelSecurity(ca_file=ca_file, token="secret-1")
    async with (
        mirror(tls(authority)) as port,
        open_channel(f"127.0.0.1:{port}", security) as channel,
    ):
        assert await shown(channel) == "Bearer secret-1"
        assert await shown_in_a_stream(channel) == "Bearer secret-1"


async def test_a_token_may_be_shown_to_this_machine_in_plaintext() -> None:
    security = ChannelSecurity(plaintext=True, token="secret-1")
    async with mirror() as port, open_channel(f"127.0.0.1:{port}", security) as channel:
        assert await shown(channel) == "Bearer secret-1"


async def test_without_security_nothing_is_shown() -> None:
    async with mirror() as port, open_channel(f"127.0.0.1:{port}") as channel:
        assert await shown(channel) == ""


@pytest.mark.parametrize("address", ["10.0.0.1:1", "control.example:50051", "[::]:1", ":1", "x"])
async def test_a_token_is_not_sent_to_another_machine_in_plaintext(address: str) -> None:
    with pytest.raises(HourglassError) as caught:
        open_channel(address, ChannelSecurity(plaintext=True, token="secret-1"))
    assert caught.value.reason == "INSECURE_TOKEN"
    assert "secret-1" not in str(caught.value)


async def test_a_new_token_in_the_file_is_shown_from_the_next_call_on(tmp_path: Path) -> None:
    file = _swapped_in(tmp_path, "one", "secret-1\n")
    security = ChannelSecurity(plaintext=True, token_file=file)
    async with mirror() as port, open_channel(f"127.0.0.1:{port}", security) as channel:
        assert await shown(channel) == "Bearer secret-1"
        _swapped_in(tmp_path, "two", "secret-2\n")
        assert await shown(channel) == "Bearer secret-2"
        assert await shown_in_a_stream(channel) == "Bearer secret-2"


@pytest.mark.parametrize("content", ["", "two words", None])
async def test_while_the_file_holds_no_token_the_last_one_is_shown(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "token"
    file.write_text("secret-1")
    security = ChannelSecurity(plaintext=True, token_file=file)
    async with mirror() as port, open_channel(f"127.0.0.1:{port}", security) as channel:
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
        assert await shown(channel) == "Bearer secret-1"


def _swapped_in(folder: Path, version: str, content: str) -> Path:
    """Replace the token as Kubernetes does: by another target of a link."""
    target = folder / version
    target.mkdir()
    (target / "token").write_text(content)
    link = folder / "..data"
    fresh = folder / "..data_tmp"
    fresh.symlink_to(target)
    fresh.rename(link)
    file = folder / "token"
    if not file.is_symlink():
        file.symlink_to(Path("..data") / "token")
    return file


async def test_a_server_of_another_authority_is_not_called(
    authority: Authority, ca_file: Path
) -> None:
    security = ChannelSecurity(ca_file=ca_file, token="secret-1")
    async with (
        mirror(tls(Authority("another"))) as port,
        open_channel(f"127.0.0.1:{port}", security) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await shown(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_must_have_the_name_that_was_given(
    authority: Authority, ca_file: Path
) -> None:
    async with mirror(tls(authority, "control.hourglass.svc")) as port:
        address = f"127.0.0.1:{port}"
        right = ChannelSecurity(ca_file=ca_file, server_name="control.hourglass.svc")
        async with open_channel(address, right) as channel:
            assert await shown(channel) == ""
        wrong = ChannelSecurity(ca_file=ca_file, server_name="other.hourglass.svc")
        async with open_channel(address, wrong) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await shown(channel)


async def test_a_certificate_of_ours_is_shown_to_a_server_that_asks(
    authority: Authority, ca_file: Path, tmp_path: Path
) -> None:
    certificate, key = authority.client("ann").write(tmp_path, "client")
    async with mirror(tls(authority, clients=authority)) as port:
        address = f"127.0.0.1:{port}"
        known = ChannelSecurity(ca_file=ca_file, certificate_file=certificate, key_file=key)
        async with open_channel(address, known) as channel:
            assert await shown(channel) == ""
        async with open_channel(address, ChannelSecurity(ca_file=ca_file)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await shown(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("security", "word"),
    [
        (ChannelSecurity(certificate_file=Path("a")), "key"),
        (ChannelSecurity(key_file=Path("a")), "certificate"),
        (ChannelSecurity(token="a", token_file=Path("a")), "not both"),
        (ChannelSecurity(plaintext=True, ca_file=Path("a")), "plaintext"),
        (ChannelSecurity(token="two words"), "token"),
    ],
)
async def test_what_contradicts_itself_is_refused(security: ChannelSecurity, word: str) -> None:
    with pytest.raises(HourglassError, match=word) as caught:
        open_channel("127.0.0.1:1", security)
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("field", ["ca_file", "token_file"])
async def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, field: str) -> None:
    given: dict[str, Any] = {field: tmp_path / "absent"}
    with pytest.raises(HourglassError, match=f"{tmp_path}/absent") as caught:
        open_channel("127.0.0.1:1", ChannelSecurity(**given))
    assert caught.value.code is Code.FAILED_PRECONDITION


def test_a_token_is_not_printed() -> None:
    assert "secret" not in repr(ChannelSecurity(token="secret-1"))
