"""What of a JSON value does not fit a structural schema, in words. Pure.

For values that do not come from an API server, which checks by itself: configuration. CEL rules
are not asked: they are the API's to hold.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def misfits(schema: Json, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong with ``value``, each text beginning with the path of the field."""
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{path}: must be a number or text, not {_kind(value)}"
        else:
            yield from _text(schema, str(value), path)
        return
    match schema.get("type"):
        case "object":
            yield from _object(schema, value, path)
        case "array":
            yield from _array(schema, value, path)
        case "integer":
            yield from _integer(schema, value, path)
        case "boolean" if not isinstance(value, bool):
            yield f"{path}: must be true or false, not {_kind(value)}"
        case "string" if not isinstance(value, str):
            yield f"{path}: must be text, not {_kind(value)}; put it in quotes"
        case "string":
            yield from _text(schema, str(value), path)
        case _:
            pass


def _object(schema: Json, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path}: must be a mapping, not {_kind(value)}"
        return
    known: Json = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for key, found in value.items():
        below = f"{path}.{key}" if path else str(key)
        if key in known:
            yield from misfits(known[key], found, below)
        elif isinstance(others, Mapping):
            yield from misfits(others, found, below)
        elif not (others or schema.get("x-kubernetes-preserve-unknown-fields")):
            yield f"{below}: unknown{nearest(str(key), tuple(known))}"
    for key in schema.get("required") or ():
        if key not in value:
            yield f"{path}.{key}: required"
    most = schema.get("maxProperties")
    if most is not None and len(value) > most:
        yield f"{path}: at most {most} entries, not {len(value)}"


def _array(schema: Json, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        yield f"{path}: must be a list, not {_kind(value)}"
        return
    for number, found in enumerate(value):
        yield from misfits(schema.get("items") or {}, found, f"{path}[{number}]")
    most = schema.get("maxItems")
    if most is not None and len(value) > most:
        yield f"{path}: at most {most} entries, not {len(value)}"


def _integer(schema: Json, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield f"{path}: must be a whole number, not {_kind(value)}"
        return
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and value < least:
        yield f"{path}: must be at least {least}, not {value}"
    if most is not None and value > most:
        yield f"{path}: must be at most {most}, not {value}"


def _text(schema: Json, value: str, path: str) -> Iterator[str]:
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        words = ", ".join(one or '""' for one in allowed)
        yield f"{path}: must be one of {words}, not {value!r}"
    if len(value) < schema.get("minLength", 0):
        yield f"{path}: must not be empty"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{path}: at most {schema['maxLength']} characters, not {len(value)}"
    pattern = schema.get("pattern")
    bare_number = schema.get("x-kubernetes-int-or-string") and value.isdecimal()
    if pattern is not None and not bare_number and re.search(pattern, value) is None:
        yield f"{path}: {value!r} does not match {pattern}"


def nearest(key: str, known: Sequence[str]) -> str:
    """Return a hint at the known key that was meant, "" where none is near."""
    found = difflib.get_close_matches(key, known, 1)
    return f"; did you mean {found[0]}?" if found else ""


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "a mapping"
        case _:
            return "a list"
