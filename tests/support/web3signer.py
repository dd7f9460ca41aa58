"""A web3signer on loopback that keeps one key, and can be slow, broken, or somebody else."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from coincurve import PrivateKey
from hourglass_executor.signing.ecdsa import EcdsaSigner

from tests.support.executor_values import KEY


def public_key(key: str = KEY) -> str:
    """Return the uncompressed public key, 128 digits, as web3signer names keys."""
    secret = bytes.fromhex(key.removeprefix("0x"))
    return PrivateKey(secret).public_key.format(compressed=False)[1:].hex()


@dataclass
class PlayedWeb3Signer:
    """``statuses`` are given in turn before it signs; while ``hangs`` it does not answer."""

    key: str = KEY
    statuses: list[int] = field(default_factory=list[int])
    hangs: bool = False
    pieces: bool = False
    text: str = ""
    asked: list[bytes] = field(default_factory=list[bytes])
    url: str = ""

    async def sign(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        assert body["type"] == "MESSAGE"
        message = bytes.fromhex(body["data"].removeprefix("0x"))
        self.asked.append(message)
        if self.hangs:
            await asyncio.sleep(3600)
        if self.statuses:
            return web.Response(status=self.statuses.pop(0), text="no")
        if request.match_info["key"] != public_key(self.key) and not self.text:
            return web.Response(status=404)
        text = self.text or "0x" + EcdsaSigner(self.key).sign_message(message).hex()
        return await self._in_pieces(request, text) if self.pieces else web.Response(text=text)

    async def _in_pieces(self, request: web.Request, text: str) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for at in range(0, len(text), 40):
            await answer.write(text[at : at + 40].encode())
            await asyncio.sleep(0.01)
        return answer

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response(["0x" + public_key(self.key)])


@asynccontextmanager
async def web3signer(
    tls: ssl.SSLContext | None = None, **given: object
) -> AsyncIterator[PlayedWeb3Signer]:
    played = PlayedWeb3Signer(**given)  # type: ignore[arg-type]
    async with listening(played, tls=tls):
        yield played


@asynccontextmanager
async def listening(
    played: PlayedWeb3Signer, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Let it be reached while the block runs; gives its port."""
    app = web.Application()
    app.router.add_get("/api/v1/eth1/publicKeys", played.keys)
    app.router.add_post("/api/v1/eth1/sign/{key}", played.sign)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        bound = runner.addresses[0][1]
        played.url = f"http{'s' if tls else ''}://127.0.0.1:{bound}"
        yield bound
    finally:
        await runner.cleanup()
