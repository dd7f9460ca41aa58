"""Validation of custom resources by their structural schema, with Kubernetes' own messages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from .fields import is_a
from .schema import ANY, Schema, Schemas, list_type
from .status import Cause, required, wrong

Manifest = Mapping[str, Any]


def causes(schemas: Schemas, schema: Schema, value: Any, path: str = "") -> Iterator[Cause]:
    """Yield what is wrong with ``value``; CEL rules are ``rules``' work."""
    if not schema or (value is None and schema.get("nullable")):
        return
    if (mistaken := _wrong_type(schema, value, path)) is not None:
        yield mistaken
        return
    yield from _enum(schema, value, path)
    match value:
        case bool():
            return
        case str():
            yield from _string(schema, value, path)
        case int() | float():
            yield from _number(schema, value, path)
        case list():
            yield from _list(schemas, schema, value, path)
        case Mapping():
            yield from _object(schemas, schema, value, path)
        case _:
            return


def _wrong_type(schema: Schema, value: Any, path: str) -> Cause | None:
    if schema.get("x-kubernetes-int-or-string"):
        is_either = value is not None and (isinstance(value, str) or is_a(value, "integer"))
        return None if is_either else _type(path, value, "integer,string")
    wanted = schema.get("type")
    if wanted and (value is None or not is_a(value, wanted)):
        return _type(path, value, wanted)
    return None


def _type(path: str, value: Any, wanted: str) -> Cause:
    found = _type_name(value)
    text = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    return Cause("FieldValueTypeInvalid", text, path)


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _enum(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    allowed: Sequence[Any] = schema.get("enum") or ()
    if allowed and value not in allowed:
        known = ", ".join(_text(each) for each in allowed)
        text = f"Unsupported value: {_text(value)}: supported values: {known}"
        yield Cause("FieldValueNotSupported", text, path)


def _string(schema: Schema, value: str, path: str) -> Iterator[Cause]:
    longest = schema.get("maxLength")
    if longest is not None and len(value) > longest:
        text = f"Too long: may not be more than {longest} bytes"
        yield Cause("FieldValueTooLong", text, path)
    shortest = schema.get("minLength")
    if shortest is not None and len(value) < shortest:
        yield wrong(path, _text(value), f"{path} in body should be at least {shortest} chars long")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        yield wrong(path, _text(value), f"{path} in body should match '{pattern}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        text = f"{path} in body must be of type date-time: {_text(value)}"
        yield Cause("FieldValueTypeInvalid", f"Invalid value: {_text(value)}: {text}", path)


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _number(schema: Schema, value: float, path: str) -> Iterator[Cause]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        is_strict = bool(schema.get("exclusiveMinimum"))
        if value < least or (is_strict and value == least):
            than = "greater than" if is_strict else "greater than or equal to"
            yield wrong(path, _text(value), f"{path} in body should be {than} {least}")
    if most is not None:
        is_strict = bool(schema.get("exclusiveMaximum"))
        if value > most or (is_strict and value == most):
            than = "less than" if is_strict else "less than or equal to"
            yield wrong(path, _text(value), f"{path} in body should be {than} {most}")
    bits = {"int32": 31, "int64": 63}.get(schema.get("format", ""))
    if bits is not None and not -(1 << bits) <= value < 1 << bits:
        why = f"{path} in body must be of type {schema['format']}: {_text(value)}"
        yield Cause("FieldValueTypeInvalid", f"Invalid value: {_text(value)}: {why}", path)


def _list(schemas: Schemas, schema: Schema, value: Sequence[Any], path: str) -> Iterator[Cause]:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        yield Cause("FieldValueTooMany", text, path)
    if least is not None and len(value) < least:
        yield wrong(path, str(len(value)), f"{path} in body should have at least {least} items")
    below = schemas.items(schema)
    for index, item in enumerate(value):
        yield from causes(schemas, below, item, f"{path}[{index}]")
    yield from _duplicates(schemas, schema, value, path)


def _duplicates(
    schemas: Schemas, schema: Schema, value: Sequence[Any], path: str
) -> Iterator[Cause]:
    kind = list_type(schema)
    if kind == "atomic":
        return
    seen = set()
    for index, item in enumerate(value):
        shown = dict(schemas.item_key(schema, item)) if kind == "map" else item
        text = _text(shown)
        if text in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {text}", f"{path}[{index}]")
        seen.add(text)


def _object(schemas: Schemas, schema: Schema, value: Manifest, path: str) -> Iterator[Cause]:
    for key in schema.get("required") or ():
        if key not in value:
            yield required(_join(path, key))
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        text = f"Too many: {len(value)}: must have at most {most} items"
        yield Cause("FieldValueTooMany", text, path)
    if least is not None and len(value) < least:
        yield wrong(
            path, str(len(value)), f"{path} in body should have at least {least} properties"
        )
    for key, item in value.items():
        if not path and key in ("apiVersion", "kind", "metadata"):
            continue
        below = schemas.field(schema, key) or ANY
        yield from causes(schemas, below, item, _join(path, key))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
