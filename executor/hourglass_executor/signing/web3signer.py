"""A key that is kept by a web3signer: signatures over HTTP.

``POST {url}/api/v1/eth1/sign/{publicKey}`` with ``{"type": "MESSAGE", "data": "0x..."}`` signs
keccak256 of the data. Asking twice does no harm, so what fails on the way is asked again until
the time is over. Neither what is signed nor a signature is logged.
"""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp
from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from prometheus_client import Counter

from .ecdsa import SIGNATURE_LENGTH, recover

log = get_logger(__name__)

CONNECTIONS = 32
_MAX_ANSWER = 4096
_MAX_KEYS = 4 << 20
_AGAIN = Backoff(minimum=0.1, maximum=2.0)
_TRY_AGAIN = frozenset({408, 425, 429})

REQUESTS = Counter(
    "hourglass_executor_remote_signatures_total",
    "Requests to the remote signer: signed, failed (asked again while there is time) or refused.",
    ["outcome"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteKey:
    """Where a key is, and which. ``ca``, ``certificate`` and ``key`` are PEM or a file's path;
    times in seconds."""

    url: str
    public_key: str
    address: str
    ca: str = ""
    certificate: str = ""
    key: str = ""
    request_timeout: float = 5.0
    sign_timeout: float = 30.0


class Web3Signer:
    """Implements ``Signer``; made by ``open_web3signer``, which owns the session."""

    waits = True

    def __init__(
        self, remote: RemoteKey, session: aiohttp.ClientSession, clock: Clock, rng: Random
    ) -> None:
        self._remote = remote
        self._session = session
        self._clock = clock
        self._rng = rng
        self.address = remote.address.lower()
        self._url = f"{remote.url}/api/v1/eth1/sign/{remote.public_key.removeprefix('0x')}"

    async def trouble(self) -> str:
        """Return what is wrong with the signer at this moment, "" if it has the key; waits for a
        second at most."""
        try:
            async with asyncio.timeout(min(1.0, self._remote.request_timeout)):
                async with self._session.get(
                    f"{self._remote.url}/api/v1/eth1/publicKeys"
                ) as answer:
                    if answer.status != 200:
                        return f"it answered with status {answer.status}"
                    text = await _body(answer, _MAX_KEYS)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            return _words(exc)
        known = self._remote.public_key[-128:].lower() in text.lower()
        return "" if known else "it does not have this key"

    async def sign(self, message: bytes) -> bytes:
        deadline = self._clock.monotonic() + self._remote.sign_timeout
        attempt = 0
        while True:
            left = deadline - self._clock.monotonic()
            try:
                async with asyncio.timeout(min(self._remote.request_timeout, max(left, 0.001))):
                    signature = await self._ask(message)
                REQUESTS.labels("signed").inc()
                return signature
            except (aiohttp.ClientError, OSError, TimeoutError) as exc:
                REQUESTS.labels("failed").inc()
                failure = _words(exc)
            attempt += 1
            pause = _AGAIN.delay(attempt, self._rng.random())
            if self._clock.monotonic() + pause >= deadline:
                raise self._away(attempt, failure)
            log.warning("remote signer did not sign", url=self._remote.url, error=failure)
            await asyncio.sleep(pause)

    async def _ask(self, message: bytes) -> bytes:
        body = {"type": "MESSAGE", "data": "0x" + message.hex()}
        async with self._session.post(self._url, json=body, allow_redirects=False) as answer:
            text = (await _body(answer, _MAX_ANSWER)).strip()
            if answer.status >= 500 or answer.status in _TRY_AGAIN:
                raise aiohttp.ClientError(f"it answered with status {answer.status}")
            if answer.status != 200:
                raise self._refused(
                    f"status {answer.status}"
                    + (": it does not have this key" if answer.status == 404 else "")
                )
        signature = _signature(text)
        if signature is None:
            raise self._refused("what is no signature")
        if recover(signature, message) != self.address:
            raise self._refused(f"a signature that is not by {self.address}")
        return signature

    def _refused(self, what: str) -> HourglassError:
        REQUESTS.labels("refused").inc()
        return HourglassError(
            Code.FAILED_PRECONDITION,
            f"the remote signer at {self._remote.url} answered with {what}",
            reason="SIGNER_REFUSED",
            hint="check url, publicKey and fromAddress in remoteSignerConfig, and the signer's log",
        )

    def _away(self, attempts: int, failure: str) -> HourglassError:
        return HourglassError(
            Code.UNAVAILABLE,
            f"the remote signer at {self._remote.url} did not sign within "
            f"{self._remote.sign_timeout:g} s, asked {attempts} times: {failure}",
            reason="SIGNER_UNAVAILABLE",
            hint="is it running, and can it be reached from here?",
        )


async def _body(answer: aiohttp.ClientResponse, most: int) -> str:
    """Return what came, however it came; of a longer answer the beginning."""
    found = bytearray()
    async for part in answer.content.iter_any():
        found += part
        if len(found) > most:
            break
    return found[:most].decode("ascii", "replace")


def _signature(text: str) -> bytes | None:
    """Return the 65 bytes in an answer, v as 27 or 28; None if it is none."""
    try:
        found = bytes.fromhex(text.strip('"').removeprefix("0x"))
    except ValueError:
        return None
    if len(found) != SIGNATURE_LENGTH or found[64] not in (0, 1, 27, 28):
        return None
    return found[:64] + bytes((found[64] % 27 + 27,))


def _words(error: Exception) -> str:
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else repr(error))


@asynccontextmanager
async def open_web3signer(
    remote: RemoteKey, clock: Clock, rng: Random
) -> AsyncIterator[Web3Signer]:
    """Give a signer while the block runs; it need not be reachable yet.

    FAILED_PRECONDITION for certificates that are none.
    """
    connector = aiohttp.TCPConnector(ssl=_tls(remote), limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        yield Web3Signer(remote, session, clock, rng)


def _tls(remote: RemoteKey) -> ssl.SSLContext | bool:
    if not remote.url.startswith("https://"):
        return True
    try:
        context = ssl.create_default_context(cadata=_pem(remote.ca) or None)
        if remote.certificate:
            _load_pair(context, _pem(remote.certificate), _pem(remote.key))
    except (ssl.SSLError, OSError, ValueError) as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"remoteSignerConfig: caCert, cert or key is of no use: "
            f"{getattr(exc, 'reason', None) or exc.strerror if isinstance(exc, OSError) else exc}",
            reason="BAD_CERTIFICATE_FILES",
            hint="each is PEM, or the path of a file with it; the key without a password",
        ) from None
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Python reads a pair from files alone: they are there, for us alone, while it does."""
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        paths = (Path(folder) / "tls.crt", Path(folder) / "tls.key")
        for path, text in zip(paths, (certificate, key), strict=True):
            path.touch(mode=0o600)
            path.write_text(text)
        context.load_cert_chain(*paths, password=lambda: "")


def _pem(given: str) -> str:
    if not given or "-----BEGIN" in given:
        return given
    return Path(given).read_text()
