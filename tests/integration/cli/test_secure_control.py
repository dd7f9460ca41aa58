"""The command line and a PerformerControl that asks for TLS, a certificate and a token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import yaml
from hourglass_services.control.servicer import PERFORMER_CONTROL, PerformerControlServicer
from hourglass_services.rpc.handlers import bytes_handlers

from tests.support.certificates import Authority
from tests.support.dev_run import Done, command, run
from tests.support.played_control import PlayedControl


class Listening(PerformerControlServicer):
    """Remembers the authorization of each call."""

    def __init__(self) -> None:
        super().__init__(PlayedControl())
        self.shown: list[tuple[Any, Any]] = []

    async def GetPerformer(self, request: Any, context: Any) -> Any:
        told = dict(context.invocation_metadata())
        self.shown.append((told.get("authorization"), context.auth_context().get("x509_subject")))
        return await super().GetPerformer(request, context)


@asynccontextmanager
async def guarded(authority: Authority) -> AsyncIterator[tuple[Listening, str]]:
    """Serve with TLS to clients whose certificate is of ``authority``; gives the address."""
    servicer, server, own = Listening(), grpc.aio.server(), authority.server("control.example")
    server.add_generic_rpc_handlers((bytes_handlers(PERFORMER_CONTROL, servicer),))
    credentials = grpc.ssl_server_credentials(
        [(own.key, own.certificate)], authority.pem, require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield servicer, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def get(address: str, *flags: str, **environ: Any) -> Done:
    words = ("performer", "get", "a", f"--control={address}", "-oyaml", "--timeout=5s")
    return await run(*command(*words, *flags), **environ)


async def test_certificates_and_a_token_are_shown_by_flag_or_environment(tmp_path: Path) -> None:
    authority = Authority()
    client = authority.client("jo")
    files = {
        "ca-file": authority.pem,
        "cert-file": client.certificate,
        "key-file": client.key,
        "token-file": b"secret-1\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    flags = [f"--{name}={tmp_path / name}" for name in files]
    environ = {
        f"HOURGLASS_{name.upper().replace('-', '_')}": str(tmp_path / name) for name in files
    }
    async with guarded(authority) as (servicer, address):
        by_flag = await get(address, *flags, "--server-name=control.example")
        assert by_flag.status == 0, by_flag.err
        assert yaml.safe_load(by_flag.out)["metadata"]["name"] == "a"
        by_environment = await get(address, HOURGLASS_SERVER_NAME="control.example", **environ)
        assert by_environment.out == by_flag.out
        stranger = await get(address, flags[0], "--server-name=control.example")
        other = await get(address, *flags, "--server-name=elsewhere.example")
    assert [token for token, _ in servicer.shown] == ["Bearer secret-1"] * 2
    for refused in (stranger, other):
        assert refused.status in (1, 124)
        assert "Traceback" not in refused.err
        assert "secret-1" not in refused.err


async def test_a_token_is_not_sent_to_another_machine_in_plaintext() -> None:
    refused = await get("10.255.255.1:1", "--token=secret-1")
    assert refused.status == 1
    assert "plaintext" in refused.err
    assert "use TLS" in refused.err
    assert "secret-1" not in refused.err
