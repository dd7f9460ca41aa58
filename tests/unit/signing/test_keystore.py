"""Keystores: the vectors of the definition of Web3 Secret Storage V3, and files of no use."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.settings_keys import EcdsaKey, Operator
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.signing.keys import open_signer
from hourglass_executor.signing.keystore import open_keystore

from tests.support.executor_values import KEY, OPERATOR
from tests.support.manual_clock import ManualClock

PASSWORD = "testpassword"
SECRET = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
PBKDF2: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "r": 1,
            "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def changed(**crypto: Any) -> str:
    return json.dumps({**PBKDF2, "crypto": {**PBKDF2["crypto"], **crypto}})


@pytest.mark.parametrize("keystore", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_the_vectors_of_the_definition_open(keystore: dict[str, Any]) -> None:
    assert open_keystore(json.dumps(keystore), PASSWORD, "x") == SECRET


BAD: list[tuple[str, str]] = [
    ("{", "it is not a JSON object"),
    ("[]", "it is not a JSON object"),
    (json.dumps({**PBKDF2, "version": 4}), "version 4, which is that of BLS keys"),
    (json.dumps({**PBKDF2, "version": 1}), "it has version 1"),
    (json.dumps({"version": 3}), "it has no crypto.kdfparams"),
    (changed(cipher="aes-256-cbc"), "cipher 'aes-256-cbc' is not known"),
    (changed(kdf="argon2"), "kdf 'argon2' is not known"),
    (changed(kdfparams={"c": 10**12, "salt": "00"}), "more than 512 MiB or minutes"),
    (changed(kdf="scrypt", kdfparams={"n": 2**30, "r": 8, "p": 1}), "more than 512 MiB"),
    (changed(kdf="scrypt", kdfparams={"n": 2, "r": 2**30, "p": 1}), "than 512 MiB or minutes"),
    (changed(kdfparams={"c": 1, "dklen": 2**33}), "take more than 512 MiB or"),
    (changed(kdfparams={"c": "many"}), "kdfparams are no numbers"),
    (changed(kdfparams={"c": 1, "prf": "hmac-sha256"}), "it can not be decrypted"),
    (changed(mac="00" * 32), "the password is not this keystore's"),
    (json.dumps({**PBKDF2, "address": "12" * 20}), "names the address 0x1212"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said for _, said in BAD])
def test_a_file_of_no_use_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(HourglassError) as refused:
        open_keystore(text, PASSWORD, "/keys/operator.json")
    assert refused.value.code is Code.FAILED_PRECONDITION
    assert said in refused.value.message
    assert "/keys/operator.json" in refused.value.message
    assert SECRET not in str(refused.value)


def test_another_password_is_told_as_that_and_is_not_repeated() -> None:
    with pytest.raises(HourglassError, match="the password is not") as refused:
        open_keystore(json.dumps(PBKDF2), "hunter2", "x")
    assert "hunter2" not in str(refused.value)


async def signer_address(key: EcdsaKey, environ: dict[str, str]) -> str:
    operator = Operator(address=OPERATOR, operator_private_key=key)
    async with open_signer(operator, environ, ManualClock(), Random(1)) as signer:
        assert not signer.waits
        return signer.address


async def test_the_password_comes_from_a_file_the_environment_or_the_configuration(
    tmp_path: Path,
) -> None:
    keystore, password = tmp_path / "key.json", tmp_path / "password"
    keystore.write_text(json.dumps(PBKDF2))
    password.write_text(PASSWORD + "\n")
    wanted = EcdsaSigner(SECRET).address
    for given, environ in (
        ({"keystoreFile": keystore, "passwordFile": password}, {}),
        ({"keystoreFile": keystore, "passwordEnv": "KEY_PASSWORD"}, {"KEY_PASSWORD": PASSWORD}),
        ({"keystore": json.dumps(PBKDF2), "password": PASSWORD}, {}),
        ({"keystore": PBKDF2, "password": PASSWORD}, {}),
    ):
        assert await signer_address(EcdsaKey.model_validate(given), environ) == wanted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keystoreFile": "absent.json", "password": "x"}, "can not read the keystore absent.json"),
        ({"keystore": "{}", "passwordEnv": "NOT_SET"}, "the variable NOT_SET is not set"),
        ({"keystore": "{}", "passwordFile": "absent"}, "can not read the password file absent"),
        ({"privateKey": "0x" + "f" * 64}, "not one of the curve"),
        ({"privateKey": "0x" + "0" * 64}, "not one of the curve"),
    ],
)
async def test_a_key_that_can_not_be_used_stops_the_start_with_its_reason(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(HourglassError, match=said) as refused:
        await signer_address(EcdsaKey.model_validate(given), {})
    assert refused.value.code is Code.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"privateKey": KEY, "keystoreFile": "k"}, "here are privateKey and keystoreFile"),
        ({"keystoreFile": "k"}, "needs its password from one place"),
        ({"keystoreFile": "k", "password": "", "passwordEnv": "E"}, "password from one place"),
        ({"remoteSigner": True}, "needs remoteSignerConfig.url"),
        (
            {"remoteSigner": True, "remoteSignerConfig": {"url": "http://s", "publicKey": "ab"}},
            "128 hexadecimal digits",
        ),
        ({"remoteSigner": True, "remoteSignerConfig": {"url": "ftp://s"}}, "the signer's URL"),
        (
            {"remoteSigner": True, "remoteSignerConfig": {"url": "http://s", "cert": "c"}},
            "cert and key need each other",
        ),
    ],
)
def test_a_key_in_two_places_or_in_none_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EcdsaKey.model_validate(given)
