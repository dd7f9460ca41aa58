"""What a written object goes through: defaults, then checks."""

from collections.abc import Mapping
from typing import Any, Literal

from . import defaults, meta
from .kinds import Kind
from .schema import Schemas

Manifest = Mapping[str, Any]


class Admission:
    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas

    def check_fields(
        self, kind: Kind, manifest: Manifest, validation: str, warnings: list[str]
    ) -> None:
        pass

    def admit(
        self,
        kind: Kind,
        new: dict[str, Any],
        old: Manifest | None,
        validation: Literal["Ignore", "Warn", "Strict"],
        warnings: list[str],
    ) -> dict[str, Any]:
        defaults.fill(kind, new)
        meta.validate(kind, new)
        return new
