"""What a written object goes through: decoding, defaults, then every check."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from . import defaults, fields, meta, rules, validation
from .builtin_validation import builtin_causes
from .kinds import Kind
from .schema import Schemas
from .status import ApiError, Cause
from .tree import copied

Manifest = Mapping[str, Any]
Validation = Literal["Ignore", "Warn", "Strict"]


class Admission:
    """Raises ApiError 400 for what can not be decoded and 422 for what is not valid."""

    def __init__(self, schemas: Schemas) -> None:
        self.schemas = schemas

    def check_fields(self, kind: Kind, manifest: Manifest) -> None:
        """Refuse an applied configuration with fields that the schema does not know."""
        unknown = fields.pruned(self.schemas, kind, copied(manifest))
        if unknown:
            name = manifest["metadata"].get("name", "")
            namespace = manifest["metadata"].get("namespace", "")
            text = (
                f"failed to create typed patch object ({namespace}/{name}; {kind.api_version}, "
                f"Kind={kind.kind}): {_listed([f'.{each}' for each in unknown])}"
            )
            raise ApiError(500, "", text)

    def admit(
        self,
        kind: Kind,
        new: dict[str, Any],
        old: Manifest | None,
        how: Validation,
        warnings: list[str],
    ) -> dict[str, Any]:
        """Return ``new`` (changed in place) as it is to be stored."""
        self._decode(kind, new, how, warnings)
        meta.drop_empty(new["metadata"])
        defaults.fill(kind, new)
        schema = self.schemas.of(kind)
        if kind.custom is not None:
            fields.fill_defaults(self.schemas, schema, new)
        meta.validate(kind, new)
        found: list[Cause]
        if kind.custom is None:
            found = list(builtin_causes(kind, new, old))
        else:
            found = list(validation.causes(self.schemas, schema, new))
            if not any(each.reason in _BLOCKING for each in found):
                found += rules.causes(self.schemas, schema, new, old)
            elif old is None:
                found.append(_RULES_NOT_CHECKED)
        if found:
            raise meta.invalid_object(kind, new, found)
        return new

    def _decode(
        self, kind: Kind, new: dict[str, Any], how: Validation, warnings: list[str]
    ) -> None:
        schema = self.schemas.of(kind)
        unknown = fields.pruned(self.schemas, kind, new)
        if unknown and how == "Strict":
            said = ", ".join(f'unknown field "{each}"' for each in unknown)
            raise fields.not_decodable(kind, f"strict decoding error: {said}")
        if how == "Warn":
            warnings.extend(f'unknown field "{each}"' for each in unknown)
        fields.without_nulls(self.schemas, schema, new)
        if kind.custom is None:
            fields.check_types(self.schemas, kind, new)
        else:
            fields.check_meta_types(self.schemas, kind, new)


def _listed(paths: Sequence[str]) -> str:
    said = [f"{path}: field not declared in schema" for path in paths]
    return said[0] if len(said) == 1 else "errors:\n" + "\n".join(f"  {each}" for each in said)


_BLOCKING = frozenset(
    {
        "FieldValueNotSupported",
        "FieldValueRequired",
        "FieldValueTooLong",
        "FieldValueTooMany",
        "FieldValueTypeInvalid",
    }
)
"""What leaves rules nothing to be asked of."""

_RULES_NOT_CHECKED = Cause(
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was "
    "invalid; correct the existing errors to complete validation",
    "<nil>",
)
