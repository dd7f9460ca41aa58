"""Encrypted keys: Web3 Secret Storage V3, as geth and web3signer write it, scrypt or pbkdf2."""

import json
from collections.abc import Mapping
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError

from .ecdsa import EcdsaSigner

_MEMORY = 512 << 20
_ITERATIONS = 50_000_000


def open_keystore(text: str, password: str, where: str) -> str:
    """Return the private key in a keystore, 64 hexadecimal digits; takes up to seconds.

    ``where`` names the keystore in errors, which never tell its content or the password.
    FAILED_PRECONDITION if it is none, asks for too much, or has another password or address.
    """
    keystore = _parsed(text, where)
    _check(keystore, where)
    # 0.4 s to import, with seven packages under it: paid by those alone who have a keystore.
    from eth_keyfile.keyfile import decode_keyfile_json

    try:
        key = decode_keyfile_json(keystore, password.encode()).hex()  # compares in constant time
    except Exception as exc:  # its own errors, and KeyError, TypeError, ValueError for bad fields
        if "MAC mismatch" in str(exc):
            raise _refused(
                where, "the password is not this keystore's", "check the password"
            ) from None
        raise _refused(where, "it can not be decrypted", "is it whole?") from None
    try:
        address = EcdsaSigner(key).address
    except ValueError:
        raise _refused(where, "what it holds is no key for ECDSA", "is it whole?") from None
    named = str(keystore.get("address", "")).lower().removeprefix("0x")
    if named and named != address[2:]:
        text = f"it names the address 0x{named}, and its key has {address}"
        raise _refused(where, text, "is it whole?")
    return key


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _refused(where, "it is not a JSON object", "give a Web3 Secret Storage V3 file")
    return {str(key).lower(): value for key, value in found.items()}


def _check(keystore: Mapping[str, Any], where: str) -> None:
    """Refuse what is no V3 keystore, and one whose opening would take all memory or minutes."""
    if keystore.get("version") != 3:
        text = f"it has version {keystore.get('version')!r}"
        if keystore.get("version") == 4:
            text += ", which is that of BLS keys"
        raise _refused(where, text, "give a Web3 Secret Storage V3 file, with an ECDSA key")
    crypto = keystore.get("crypto")
    if not isinstance(crypto, dict) or not isinstance(crypto.get("kdfparams"), dict):
        raise _refused(where, "it has no crypto.kdfparams", "is it whole?")
    if crypto.get("cipher") != "aes-128-ctr":
        raise _refused(where, f"cipher {crypto.get('cipher')!r} is not known", "use aes-128-ctr")
    if crypto.get("kdf") not in ("scrypt", "pbkdf2"):
        text = f"kdf {crypto.get('kdf')!r} is not known"
        raise _refused(where, text, "use scrypt or pbkdf2")
    try:
        given = crypto["kdfparams"]
        params = {name: int(given.get(name, 0)) for name in ("n", "r", "p", "c", "dklen")}
    except (TypeError, ValueError):
        raise _refused(where, "its kdfparams are no numbers", "is it whole?") from None
    memory = 128 * params["r"] * (params["n"] + params["p"]) + params["dklen"]
    if memory > _MEMORY or params["p"] > 64 or params["c"] > _ITERATIONS:
        raise _refused(
            where,
            "opening it would take more than 512 MiB or minutes",
            "encrypt the key again with usual parameters, such as scrypt with n 262144, r 8, p 1",
        )


def _refused(where: str, what: str, hint: str) -> HourglassError:
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"can not use the keystore of {where}: {what}",
        reason="BAD_KEYSTORE",
        hint=hint,
    )
