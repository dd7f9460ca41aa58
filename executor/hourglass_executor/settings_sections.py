"""The parts of the configuration that say what a performer runs, and what sections share."""

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
