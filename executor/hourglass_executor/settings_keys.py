"""The part of the configuration that says who the operator is, and where its keys are."""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from .duration import Duration
from .settings_sections import Address, Section, required

_PUBLIC_KEY = re.compile(r"(0x)?(04)?[0-9a-fA-F]{128}")


class RemoteSignerConfig(Section):
    """A web3signer. ``caCert``, ``cert`` and ``key`` are PEM, or the path of a file with it;
    ``publicKey`` is the uncompressed key (128 hexadecimal digits) and ``fromAddress`` its address.

    Ours: ``requestTimeout`` bounds one request, ``signTimeout`` all of them for one result.
    """

    url: str = ""
    ca_cert: str = ""
    cert: str = ""
    key: str = Field(default="", repr=False)
    from_address: Address = ""
    public_key: str = ""
    request_timeout: Duration = 5.0
    sign_timeout: Duration = 30.0

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if value and re.match(r"https?://[^/@\s]+", value) is None:
            raise ValueError("write the signer's URL, such as https://signer.example:9000")
        return value.rstrip("/")

    @field_validator("public_key", mode="before")
    @classmethod
    def _uncompressed(cls, value: Any) -> str:
        text = f"0x{value:0128x}" if isinstance(value, int) else str(value)
        if text and _PUBLIC_KEY.fullmatch(text) is None:
            raise ValueError("publicKey is an uncompressed key: 128 hexadecimal digits")
        return text

    @model_validator(mode="after")
    def _whole(self) -> "RemoteSignerConfig":
        if bool(self.cert) != bool(self.key):
            raise ValueError("cert and key need each other")
        return self


class EcdsaKey(Section):
    """A key in one of three places. ``privateKey`` is 64 hexadecimal digits, with or without 0x.
    ``remoteSigner: true`` with ``remoteSignerConfig`` asks a web3signer.

    Ours: ``keystoreFile`` or ``keystore`` (its text) is a Web3 Secret Storage V3 file, whose
    password is in ``passwordFile`` (one line), in the environment variable that ``passwordEnv``
    names, or in ``password``.
    """

    private_key: str = Field(default="", repr=False)
    keystore: str = Field(default="", repr=False)
    keystore_file: Path | None = None
    password: str | None = Field(default=None, repr=False)
    password_file: Path | None = None
    password_env: str = ""
    remote_signer: bool = False
    remote_signer_config: RemoteSignerConfig | None = None

    @field_validator("private_key", mode="before")
    @classmethod
    def _hexadecimal(cls, value: Any) -> str:
        text = f"0x{value:064x}" if isinstance(value, int) else str(value or "")
        if text and re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", text) is None:
            raise ValueError("a private key is 64 hexadecimal digits, with or without 0x")
        return text

    @field_validator("keystore", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return json.dumps(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _one_source(self) -> "EcdsaKey":
        given = self.sources
        if len(given) > 1:
            raise ValueError(f"a key is in one place, and here are {' and '.join(given)}")
        if "keystore" in given or "keystoreFile" in given:
            self._check_password()
        if self.remote_signer:
            self._check_remote()
        return self

    def _check_password(self) -> None:
        passwords = (self.password is not None, self.password_file, self.password_env)
        if sum(map(bool, passwords)) != 1:
            raise ValueError(
                "a keystore needs its password from one place: passwordFile, passwordEnv or "
                "password"
            )

    def _check_remote(self) -> None:
        remote = self.remote_signer_config or RemoteSignerConfig()
        for name, value in (
            ("url", remote.url),
            ("fromAddress", remote.from_address),
            ("publicKey", remote.public_key),
        ):
            if not value:
                raise ValueError(f"a remote signer needs remoteSignerConfig.{name}")

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the names of the places that are given."""
        return tuple(
            name
            for name, value in (
                ("privateKey", self.private_key),
                ("keystore", self.keystore),
                ("keystoreFile", self.keystore_file),
                ("remoteSigner", self.remote_signer),
            )
            if value
        )


class BlsKey(Section):
    """Accepted for the reference's files, and not used: BN254 is not available yet."""

    keystore: str = Field(default="", repr=False)
    keystore_file: str = ""
    password: str = Field(default="", repr=False)


class SigningKeys(Section):
    """Results are signed with ``ecdsa``; ``bls`` is not used yet."""

    bls: BlsKey | None = None
    ecdsa: EcdsaKey | None = None

    @model_validator(mode="after")
    def _one_key(self) -> "SigningKeys":
        if self.bls is None and self.ecdsa is None:
            raise ValueError("at least one signing key (BLS or ECDSA) is required")
        if self.ecdsa is None or not self.ecdsa.sources:
            raise ValueError(
                "results are signed with ECDSA, BN254 is not built yet: give signingKeys.ecdsa "
                "with privateKey, keystoreFile or remoteSigner"
            )
        return self


class Operator(Section):
    """The EigenLayer operator for whom this executor works. Results are signed with
    ``signingKeys.ecdsa``, or with ``operatorPrivateKey`` where that is not given; management
    calls are signed with the same key."""

    address: Address = Field(default="", validate_default=True)
    operator_private_key: EcdsaKey | None = Field(default=None, validate_default=True)
    signing_keys: SigningKeys | None = None

    @field_validator("address")
    @classmethod
    def _has_address(cls, value: str) -> str:
        return str(required(value, "address is required"))

    @field_validator("operator_private_key")
    @classmethod
    def _has_key(cls, value: EcdsaKey | None) -> EcdsaKey | None:
        if value is None:
            raise ValueError("operatorPrivateKey is required")
        if not value.sources:
            raise ValueError("private key cannot be empty")
        return value

    @property
    def result_key(self) -> EcdsaKey:
        """Return the key that signs results."""
        key = (self.signing_keys.ecdsa if self.signing_keys else None) or self.operator_private_key
        assert key is not None
        return key
