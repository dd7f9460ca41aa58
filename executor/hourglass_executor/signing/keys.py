"""From the configuration to a signer: a key in memory, in a keystore, or at a web3signer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from coincurve import PublicKey
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_executor.settings_keys import EcdsaKey, Operator, RemoteSignerConfig

from .ecdsa import EcdsaSigner, address_of
from .keystore import open_keystore
from .port import Signer
from .web3signer import RemoteKey, open_web3signer

log = get_logger(__name__)


@asynccontextmanager
async def open_signer(
    operator: Operator, environ: Mapping[str, str], clock: Clock, rng: Random
) -> AsyncIterator[Signer]:
    """Give the signer of results while the block runs.

    FAILED_PRECONDITION for a key that can not be used: a keystore that is none, a password that
    is not its own, a public key of another address.
    """
    if operator.signing_keys and operator.signing_keys.bls:
        log.warning(
            "the BN254 key is not used: results are signed with ECDSA",
            setting="operator.signingKeys.bls",
        )
    key = operator.result_key
    if key.remote_signer:
        assert key.remote_signer_config is not None
        remote = remote_key(key.remote_signer_config)
        async with open_web3signer(remote, clock, rng) as signer:
            log.info("results are signed by a remote signer", url=remote.url, key=signer.address)
            if trouble := await signer.trouble():  # it may come later: tasks run meanwhile
                log.warning("the remote signer is of no use yet", url=remote.url, error=trouble)
            yield signer
        return
    if key.keystore or key.keystore_file:
        yield EcdsaSigner(await asyncio.to_thread(_from_keystore, key, environ))
        return
    yield _in_memory(key.private_key)


def _in_memory(private_key: str) -> EcdsaSigner:
    try:
        return EcdsaSigner(private_key)
    except ValueError:  # without its cause, which may hold a part of the key
        raise _bad_key("the private key is not one of the curve secp256k1") from None


def _from_keystore(key: EcdsaKey, environ: Mapping[str, str]) -> str:
    where = str(key.keystore_file) if key.keystore_file else "the setting keystore"
    text = _read(key.keystore_file, "the keystore") if key.keystore_file else key.keystore
    return open_keystore(text, _password(key, environ), where)


def _password(key: EcdsaKey, environ: Mapping[str, str]) -> str:
    if key.password_file:
        return _read(key.password_file, "the password file").rstrip("\r\n")
    if key.password_env:
        found = environ.get(key.password_env)
        if found is None:
            raise _bad_key(f"passwordEnv: the variable {key.password_env} is not set")
        return found
    return key.password or ""


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise _bad_key(f"can not read {what} {path}: {reason}") from exc


def remote_key(given: RemoteSignerConfig) -> RemoteKey:
    """Return where the key is; FAILED_PRECONDITION if its address is not that of its bytes."""
    digits = given.public_key.removeprefix("0x")
    try:
        address = address_of(PublicKey(bytes.fromhex("04" + digits[-128:])))
    except ValueError:
        raise _bad_key("publicKey is not a point of the curve secp256k1") from None
    if address != given.from_address.lower():
        raise _bad_key(f"fromAddress is {given.from_address}, and publicKey has {address}")
    return RemoteKey(
        url=given.url,
        public_key=digits,
        address=address,
        ca=given.ca_cert,
        certificate=given.cert,
        key=given.key,
        request_timeout=given.request_timeout,
        sign_timeout=given.sign_timeout,
    )


def _bad_key(text: str) -> HourglassError:
    return HourglassError(
        Code.FAILED_PRECONDITION, f"the operator's key can not be used: {text}", reason="BAD_KEY"
    )
