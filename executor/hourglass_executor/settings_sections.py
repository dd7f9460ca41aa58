"""The parts of the configuration that say who the operator is and what a performer runs."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class Section(BaseModel):
    """A mapping of the configuration: camelCase keys, no unknown ones."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


def _address(value: Any) -> str:
    text = str(value)
    if isinstance(value, int) and not isinstance(value, bool):  # YAML reads a bare 0x... as one
        text = f"0x{value:040x}"
    if text and _ADDRESS.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not an address: 0x and 40 hexadecimal digits")
    return text


Address = Annotated[str, BeforeValidator(_address)]


def required(value: Any, text: str) -> Any:
    """Return ``value``; ValueError with ``text`` where it is empty."""
    if not value:
        raise ValueError(text)
    return value


class RemoteSignerConfig(Section):
    """Accepted for the reference's files; remote signers are not available yet."""

    url: str = ""
    ca_cert: str = ""
    cert: str = ""
    key: str = ""
    from_address: str = ""
    public_key: str = ""


class EcdsaKey(Section):
    """``privateKey`` is 64 hexadecimal digits, with or without 0x."""

    private_key: str = Field(default="", repr=False)
    remote_signer: bool = False
    remote_signer_config: RemoteSignerConfig | None = None

    @field_validator("private_key", mode="before")
    @classmethod
    def _hexadecimal(cls, value: Any) -> str:
        text = f"0x{value:064x}" if isinstance(value, int) else str(value)
        if text and re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", text) is None:
            raise ValueError("a private key is 64 hexadecimal digits, with or without 0x")
        return text

    @field_validator("remote_signer")
    @classmethod
    def _local_only(cls, value: bool) -> bool:
        if value:
            raise ValueError("remote signers are not available in this version: give privateKey")
        return value


class BlsKey(Section):
    """Accepted for the reference's files; BN254 is not available yet."""

    keystore: str = Field(default="", repr=False)
    keystore_file: str = ""
    password: str = Field(default="", repr=False)


class SigningKeys(Section):
    bls: BlsKey | None = None
    ecdsa: EcdsaKey | None = None

    @model_validator(mode="after")
    def _one_key(self) -> "SigningKeys":
        if self.bls is None and self.ecdsa is None:
            raise ValueError("at least one signing key (BLS or ECDSA) is required")
        if self.ecdsa is None or not self.ecdsa.private_key:
            raise ValueError(
                "results are signed with ECDSA in this version: give signingKeys.ecdsa.privateKey"
            )
        return self


class Operator(Section):
    """The EigenLayer operator for whom this executor works."""

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
        if not value.private_key:
            raise ValueError("private key cannot be empty")
        return value


class L1Chain(Section):
    """Accepted for the reference's files; nothing is looked up on chain yet."""

    rpc_url: str = Field(default="", validate_default=True)
    chain_id: int = 0

    @field_validator("rpc_url")
    @classmethod
    def _has_url(cls, value: str) -> str:
        return str(required(value, "rpcUrl is required"))


class Image(Section):
    """``digest`` (ours) wins over ``tag``."""

    repository: str = Field(default="", validate_default=True)
    tag: str = ""
    digest: str = ""

    @field_validator("repository")
    @classmethod
    def _has_repository(cls, value: str) -> str:
        return str(required(value, "image.repository is required"))

    @model_validator(mode="after")
    def _has_version(self) -> "Image":
        if not self.tag and not self.digest:
            raise ValueError("image.tag is required")
        return self


class KeyRef(Section):
    name: str
    key: str


class ValueFrom(Section):
    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None


class KubernetesEnv(Section):
    value_from: ValueFrom


class Env(Section):
    name: str = Field(default="", validate_default=True)
    value: str = Field(default="", repr=False)
    value_from_env: str = ""
    kubernetes_env: KubernetesEnv | None = None

    @field_validator("name")
    @classmethod
    def _has_name(cls, value: str) -> str:
        return str(required(value, "name is required"))
