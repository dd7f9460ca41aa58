"""ECDSA over secp256k1, as Ethereum has it: 65 bytes r, s, v with v 27 or 28."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from coincurve import PrivateKey, PublicKey
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from hourglass_services.executor.port import Submission

from hourglass_executor.tasks.keccak import keccak256
from hourglass_executor.tasks.messages import submission_message

log = get_logger(__name__)

SIGNATURE_LENGTH = 65


class EcdsaSigner:
    """Implements ``Signer`` with a key in memory; nonces are RFC 6979's, so it is deterministic."""

    waits = False

    def __init__(self, private_key: str) -> None:
        """``private_key`` is 64 hexadecimal digits, with or without "0x"; ValueError if not."""
        secret = bytes.fromhex(private_key.removeprefix("0x"))
        if len(secret) != 32:
            raise ValueError("a private key is 32 bytes: 64 hexadecimal digits")
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)

    async def sign(self, message: bytes) -> bytes:
        return self.sign_message(message)

    def sign_message(self, message: bytes) -> bytes:
        """Sign keccak256(message)."""
        return self._sign(keccak256(message))

    def sign_for_solidity(self, data: bytes) -> bytes:
        """Sign 32 bytes as they are, anything else as its keccak256."""
        return self._sign(data if len(data) == 32 else keccak256(data))

    def _sign(self, digest: bytes) -> bytes:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))


def address_of(key: PublicKey) -> str:
    """Return the address of a public key, lower case."""
    return "0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex()


def recover(signature: bytes, message: bytes) -> str | None:
    """Return the address that signed keccak256(message); None for bytes that are no signature."""
    if len(signature) != SIGNATURE_LENGTH or signature[64] not in (0, 1, 27, 28):
        return None
    recoverable = signature[:64] + bytes((signature[64] % 27,))
    try:
        key = PublicKey.from_signature_and_message(recoverable, keccak256(message), hasher=None)
    except Exception:  # coincurve raises bare Exception and ValueError, for any bad bytes
        return None
    return address_of(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregator:
    """An aggregator that is trusted: it signs with ``signer``, for ``avs`` and ``operator_sets``.

    ``avs`` "" means every AVS; no operator sets mean all.
    """

    address: str
    signer: str
    avs: str = ""
    operator_sets: frozenset[int] = frozenset()


class AggregatorTable:
    """Implements ``Verifier`` over a table from the configuration."""

    def __init__(self, aggregators: tuple[Aggregator, ...], executor_address: str) -> None:
        table: dict[str, list[Aggregator]] = {}
        for one in aggregators:
            table.setdefault(one.address.lower(), []).append(one)
        self._table: Mapping[str, list[Aggregator]] = table
        self._executor = executor_address

    def verify(self, submission: Submission) -> None:
        avs = submission.avs_address.lower()
        named = self._table.get(submission.aggregator_address.lower(), [])
        mine = [one for one in named if one.avs.lower() in ("", avs)]
        allowed = [
            one
            for one in mine
            if not one.operator_sets or submission.operator_set_id in one.operator_sets
        ]
        if not allowed:
            text = "aggregator operator set not found for aggregator"
            raise _denied(f"{text} {submission.aggregator_address}")
        if len(submission.signature) != SIGNATURE_LENGTH:
            raise _denied("invalid signature format")
        found = recover(submission.signature, submission_message(submission, self._executor))
        if found is None or not any(
            hmac.compare_digest(found, one.signer.lower()) for one in allowed
        ):
            raise _denied("signature verification failed")


class AcceptAll:
    """Implements ``Verifier`` for development: no signature is looked at."""

    def __init__(self) -> None:
        log.warning(
            "TASK SIGNATURES ARE NOT VERIFIED: anyone who reaches the port can run tasks",
            setting="verification",
        )

    def verify(self, submission: Submission) -> None:
        """Accept it: that its signature is not empty was checked before."""


def _denied(text: str) -> HourglassError:
    return HourglassError(
        Code.PERMISSION_DENIED,
        f"signature validation failed: {text}",
        reason="SIGNATURE_REFUSED",
        hint="the table of aggregators is verification.aggregators in the configuration",
    )
