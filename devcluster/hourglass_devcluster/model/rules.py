"""CEL rules of a CRD (``x-kubernetes-validations``): what a schema alone can not say."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from .quantities import FUNCTIONS
from .schema import Schema, Schemas, list_type
from .status import Cause

Manifest = Mapping[str, Any]

# What a program can raise: errors of CEL come as whatever Python exception fits them.
_RULE_ERRORS = (KeyError, TypeError, ValueError, RuntimeError, OverflowError, ZeroDivisionError)
_IN_FUNCTION = re.compile(r"Python function call failed: \w+: (.*)\. Check function arguments")
_SIGN_AS_METHOD = re.compile(r"\.\s*sign\s*\(")  # which Kubernetes' compiler refuses
_CEL_TYPES = {bool: "boolean", int: "integer", float: "number", list: "array"}


def causes(
    schemas: Schemas, schema: Schema, new: Any, old: Any = None, path: str = ""
) -> Iterator[Cause]:
    """Yield the rules that ``new`` breaks; those with ``oldSelf`` are asked if there is an old
    value."""
    if not schema or new is None:
        return
    for rule in schema.get("x-kubernetes-validations") or ():
        yield from _broken(rule, _seen(new, path), old if old is None else _seen(old, path), path)
    if isinstance(new, Mapping):
        for key, value in new.items():
            if not path and key in ("apiVersion", "kind", "metadata"):
                continue
            below = schemas.field(schema, key)
            if below:
                before = old.get(key) if isinstance(old, Mapping) else None
                yield from causes(schemas, below, value, before, _below(schema, path, key))
    elif isinstance(new, list):
        yield from _of_items(schemas, schema, new, old, path)


def _below(schema: Schema, path: str, key: str) -> str:
    if key not in (schema.get("properties") or {}):
        return f"{path}[{key}]"  # as the API's rules name the values of maps; its schema has a dot
    return f"{path}.{key}" if path else key


def _of_items(
    schemas: Schemas, schema: Schema, new: list[Any], old: Any, path: str
) -> Iterator[Cause]:
    below = schemas.items(schema)
    before: dict[Any, Any] = {}
    is_map = list_type(schema) == "map"
    if is_map and isinstance(old, list):
        before = {schemas.item_key(schema, item): item for item in old}
    for index, item in enumerate(new):
        was = before.get(schemas.item_key(schema, item)) if is_map else None
        yield from causes(schemas, below, item, was, f"{path}[{index}]")


def _seen(value: Any, path: str) -> Any:
    """Return ``value`` as a rule sees it: of the metadata only the name, as in Kubernetes."""
    if path or not isinstance(value, Mapping):
        return value
    meta = value.get("metadata") or {}
    kept = {key: meta[key] for key in ("name", "generateName") if key in meta}
    return {**value, "metadata": kept}


def _broken(rule: Manifest, new: Any, old: Any, path: str) -> Iterator[Cause]:
    text = rule["rule"]
    variables = {"self": new}
    if "oldSelf" in text:
        if old is None and not rule.get("optionalOldSelf"):
            return
        variables["oldSelf"] = old
    try:
        holds = _evaluated(text, variables)
    except _RULE_ERRORS as exc:
        said = f"Invalid value: {_unevaluated(rule, new, exc)}"
        yield Cause("FieldValueInvalid", said, path or "<nil>")
        return
    if holds is not True:
        said = _message(rule, variables)
        reason = str(rule.get("reason") or "FieldValueInvalid")
        field = f"{path}{rule['fieldPath']}" if rule.get("fieldPath") else path or "<nil>"
        yield Cause(reason, _prefixed(reason, said, new), field.removeprefix("."))


def _prefixed(reason: str, message: str, value: Any) -> str:
    """Return the text of a refusal; only those of plain values show the value."""
    match reason:
        case "FieldValueForbidden":
            return f"Forbidden: {message}"
        case "FieldValueRequired":
            return f"Required value: {message}"
        case "FieldValueDuplicate":
            return f"Duplicate value: {message}"
        case _ if isinstance(value, Mapping | list):
            return f"Invalid value: {message}"
        case _:
            return f"Invalid value: {orjson.dumps(value).decode()}: {message}"


def _message(rule: Manifest, variables: dict[str, Any]) -> str:
    expression = rule.get("messageExpression")
    if expression:
        try:
            return str(_evaluated(expression, variables))
        except _RULE_ERRORS:
            pass  # as in Kubernetes, the plain message stands in
    return str(rule.get("message") or f"failed rule: {rule['rule']}")


def _unevaluated(rule: Manifest, value: Any, error: Exception) -> str:
    """Return what Kubernetes says of a rule that could not be asked."""
    said = str(error)
    if found := _IN_FUNCTION.search(said):
        said = found[1]
    kind = "object" if isinstance(value, Mapping) else _CEL_TYPES.get(type(value), "string")
    named = rule.get("message") or rule["rule"]
    if said.lower().startswith("no such overload"):
        return (
            f"\"{kind}\": '{said}': call arguments did not match a supported operator, function "
            f"or macro signature for rule: {named}"
        )
    return f'"{kind}": {said} evaluating rule: {named}'


def _evaluated(text: str, variables: Mapping[str, Any]) -> Any:
    if _SIGN_AS_METHOD.search(text):
        raise ValueError("found no matching overload for 'sign' as a method; write sign(quantity)")
    return _program(text).execute({**FUNCTIONS, **variables})


@lru_cache(maxsize=512)
def _program(text: str) -> Any:
    import cel  # when first needed: its package loads a whole command line, 0.3 s

    return cel.compile(text)
