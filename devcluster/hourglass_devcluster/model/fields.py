"""Decoding by schema: unknown fields are pruned, nulls dropped, defaults filled in."""

from collections.abc import Iterator, Mapping
from typing import Any

from .kinds import Kind
from .schema import OBJECT_META, Schema, Schemas
from .status import bad_request
from .tree import copied

Manifest = Mapping[str, Any]

_JSON_NAMES = ((bool, "bool"), (str, "string"), (int, "number"), (float, "number"))
_EITHER = "int-or-string"
_GO_TYPES = {
    "integer": "int32",
    "number": "float64",
    "boolean": "bool",
    "string": "string",
    _EITHER: "int32",
}


def pruned(schemas: Schemas, kind: Kind, manifest: dict[str, Any]) -> list[str]:
    """Remove what the schema of ``kind`` does not know from ``manifest``; return the paths."""
    return list(_prune(schemas, schemas.of(kind), manifest, "", is_root=True))


def _prune(
    schemas: Schemas, schema: Schema, value: Any, path: str, *, is_root: bool = False
) -> Iterator[str]:
    if isinstance(value, dict):
        for key in sorted(value):
            below = schemas.field(schema, key)
            where = f"{path}.{key}" if path else key
            if below is None:
                del value[key]
                yield where
            elif not (is_root and key in ("apiVersion", "kind")):
                yield from _prune(schemas, below, value[key], where)
    elif isinstance(value, list):
        below = schemas.items(schema)
        for index, item in enumerate(value):
            yield from _prune(schemas, below, item, f"{path}[{index}]")


def without_nulls(schemas: Schemas, schema: Schema, value: Any) -> None:
    """Remove the fields of ``value`` that are null where the schema says that none may be."""
    if isinstance(value, dict):
        for key in list(value):
            below = schemas.field(schema, key)
            if below is None or not below:
                continue
            if value[key] is None and not below.get("nullable"):
                del value[key]
            else:
                without_nulls(schemas, below, value[key])
    elif isinstance(value, list):
        below = schemas.items(schema)
        for item in value:
            without_nulls(schemas, below, item)


def fill_defaults(schemas: Schemas, schema: Schema, value: Any) -> None:
    """Write the defaults of a CRD's schema into ``value``."""
    if isinstance(value, dict):
        for key, declared in (schema.get("properties") or {}).items():
            if key not in value and "default" in declared:
                value[key] = copied(declared["default"])
        for key in value:
            below = schemas.field(schema, key)
            if below:
                fill_defaults(schemas, below, value[key])
    elif isinstance(value, list):
        below = schemas.items(schema)
        for item in value:
            fill_defaults(schemas, below, item)


def check_types(schemas: Schemas, kind: Kind, manifest: Manifest) -> None:
    """Raise 400 if a built-in object has a value of the wrong JSON type."""
    problem = next(_wrong_types(schemas, kind.schema, manifest, ""), None)
    if problem is not None:
        raise not_decodable(kind, f"json: cannot unmarshal {problem}")


def check_meta_types(schemas: Schemas, kind: Kind, manifest: Manifest) -> None:
    """Raise 400 if the metadata of a custom resource has a value of the wrong JSON type."""
    problem = next(_wrong_types(schemas, OBJECT_META, manifest["metadata"], "metadata"), None)
    if problem is not None:
        raise not_decodable(kind, f"json: cannot unmarshal {problem}")


def not_decodable(kind: Kind, why: str) -> Exception:
    return bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'
    )


def _wrong_types(schemas: Schemas, name: str, value: Any, path: str) -> Iterator[str]:
    """Yield ``<json type> into Go struct field <struct>.<path> of type <type>``."""
    schema = schemas.definitions.get(name, {})
    if not isinstance(value, Mapping):
        if schema.get("type") == "object":
            yield _mismatch(value, name, path, "object")
        return
    for key, item in value.items():
        below = (schema.get("properties") or {}).get(key)
        if below is not None and item is not None:
            where = f"{path}.{key}" if path else key
            yield from _wrong_field(schemas, name, below, item, where)


def _wrong_field(
    schemas: Schemas, owner: str, schema: Schema, value: Any, path: str
) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = schemas.definitions.get(name, {})
        if target.get("properties"):
            yield from _wrong_types(schemas, name, value, path)
            return
        schema = target
    is_either = schema.get("format") == _EITHER
    wanted = _EITHER if is_either else schema.get("type")
    if not is_a(value, wanted):
        yield _mismatch(value, owner, path, str(wanted))
    elif wanted == "array":
        for item in value:
            yield from _wrong_field(schemas, owner, schema.get("items") or {}, item, path)
    elif wanted == "object":
        below = schema.get("additionalProperties")
        if isinstance(below, Mapping):
            for item in value.values():
                yield from _wrong_field(schemas, owner, below, item, path)


def is_a(value: Any, wanted: str | None) -> bool:
    match wanted:
        case None:
            return True
        case "string":
            return isinstance(value, str) or value is None
        case "integer":
            return value is None or (isinstance(value, int) and not isinstance(value, bool))
        case "int-or-string":
            return is_a(value, "string") or is_a(value, "integer")
        case "number":
            return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        case "boolean":
            return isinstance(value, bool) or value is None
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, Mapping) or value is None
        case _:
            return True


def _mismatch(value: Any, owner: str, path: str, wanted: str) -> str:
    found = next((name for kind, name in _JSON_NAMES if isinstance(value, kind)), "")
    if not found:
        found = "array" if isinstance(value, list) else "object"
    struct = owner.rpartition(".")[2]
    return f"{found} into Go struct field {struct}.{path} of type {_GO_TYPES.get(wanted, wanted)}"
