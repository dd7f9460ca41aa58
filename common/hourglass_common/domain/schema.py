"""From dataclasses to a structural OpenAPI schema, and from JSON to those dataclasses. Pure.

A field is declared once, with ``described``: its text, bounds and default serve the schema,
the parser and the writer alike.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Json = Mapping[str, Any]


class Rule(NamedTuple):
    """A CEL condition over ``self``, and the text of its refusal.

    ``expression`` makes a text that names what is wrong; ``at`` is the field that is blamed, as in
    ``.metadata.name``, if not the one that has the rule.
    """

    condition: str
    message: str
    expression: str = ""
    at: str = ""

    def schema(self) -> dict[str, str]:
        """Return the rule as a CRD has it."""
        found = {"rule": self.condition, "message": self.message}
        found |= {"messageExpression": self.expression} if self.expression else {}
        return found | ({"fieldPath": self.at} if self.at else {})


_DETAILS = "schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a field says of its values beyond their type; see ``described``."""

    text: str
    enum: tuple[str, ...] = ()
    pattern: str = ""
    min_length: int | None = None
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    integer_format: str = ""
    max_items: int | None = None
    rules: tuple[Rule, ...] = ()
    value_rules: tuple[Rule, ...] = ()
    any_json: bool = False
    json_schema: Json | None = None
    quantity: bool = False
    int_or_percent: bool = False
    date_time: bool = False
    map_key: str = ""
    keep_default: bool = False


def described(
    text: str,
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    **details: Any,
) -> Any:
    """Declare a field: required without a default.

    ``max_length`` of a collection bounds its strings; ``keep_default`` writes the field even
    where it equals its default; ``value_rules`` are those of a map's values; ``date_time`` fields
    are optional RFC 3339 strings; ``json_schema`` is the schema of a field that stays JSON.
    """
    described = Details(text=text, **details)
    if described.date_time and default is MISSING:
        default = ""
    metadata = {_DETAILS: described}
    if default_factory is not None:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@cache
def camel_case(name: str) -> str:
    """Return ``grpc_port`` as ``grpcPort``, and ``from_`` as ``from``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def object_schema(cls: type) -> dict[str, Any]:
    """Return the schema of a dataclass whose fields are ``described``.

    A class attribute ``RULES`` holds the rules of the object as a whole.
    """
    hints = typing.get_type_hints(cls)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for entry in fields(cls):
        details: Details = entry.metadata[_DETAILS]
        properties[camel_case(entry.name)] = _field_schema(hints[entry.name], entry, details)
        if entry.default is MISSING and entry.default_factory is MISSING:
            required.append(camel_case(entry.name))
        elif cls.__name__ == "Condition" and entry.name == "last_transition_time":
            required.append("lastTransitionTime")
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema | with_rules(getattr(cls, "RULES", ()))


def with_defaults(schema: Json, value: Any) -> Any:
    """Return a JSON value as the API keeps it: with the defaults of what is left out."""
    if isinstance(value, Mapping) and "properties" in schema:
        found = {key: one for key, one in value.items() if one is not None}
        for key, below in schema["properties"].items():
            if key in found:
                found[key] = with_defaults(below, found[key])
            elif "default" in below:
                found[key] = below["default"]
        return found
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(schema["items"], one) for one in value]
    return value


def with_rules(rules: Sequence[Rule]) -> dict[str, Any]:
    """Return the part of a schema that holds ``rules``."""
    return {"x-kubernetes-validations": [rule.schema() for rule in rules]} if rules else {}


def _field_schema(hint: Any, entry: "dataclasses.Field[Any]", details: Details) -> dict[str, Any]:
    schema = _type_schema(_required(hint), details)
    schema = {"description": details.text, **schema}
    shown = entry.default
    if shown is not MISSING and shown not in (None, "", 0, False):
        schema["default"] = shown
    if details.rules:
        schema["x-kubernetes-validations"] = [
            *schema.get("x-kubernetes-validations", ()),
            *(rule.schema() for rule in details.rules),
        ]
    return schema


def _type_schema(hint: Any, details: Details) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint):
        return object_schema(typing.cast(type, hint))
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _list_schema(typing.get_args(hint)[0], details)
    if details.json_schema is not None:
        return dict(details.json_schema)
    if details.any_json:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    if details.int_or_percent:
        return _int_or_percent()
    if origin is not None and issubclass(origin, Mapping):
        values = _quantity() if details.quantity else _string(details)
        values |= with_rules(details.value_rules)
        return {"type": "object", "additionalProperties": values} | _bound(
            "maxProperties", details.max_items
        )
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return (
            {"type": "integer", "format": details.integer_format}
            | _bound("minimum", details.minimum)
            | _bound("maximum", details.maximum)
        )
    return _string(details)


def _list_schema(item: Any, details: Details) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": _type_schema(item, details)}
    schema |= _bound("maxItems", details.max_items)
    if details.map_key:
        schema["x-kubernetes-list-type"] = "map"
        schema["x-kubernetes-list-map-keys"] = [details.map_key]
    return schema


def _string(details: Details) -> dict[str, Any]:
    if details.date_time:
        return {"type": "string", "format": "date-time"}
    if details.enum:
        return {"type": "string", "enum": list(details.enum)}
    schema: dict[str, Any] = {"type": "string"}
    schema |= _bound("minLength", details.min_length) | _bound("maxLength", details.max_length)
    return schema | ({"pattern": details.pattern} if details.pattern else {})


def _quantity() -> dict[str, Any]:
    return {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "maxLength": 64,
    }


def _int_or_percent() -> dict[str, Any]:
    return {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "minimum": 0,
        "maxLength": 8,
        "pattern": "^[0-9]{1,3}%$",
    }


def _bound(key: str, value: int | None) -> dict[str, Any]:
    return {} if value is None else {key: value}


def _required(hint: Any) -> Any:
    """Return ``X`` for ``X | None``; other unions stay."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        left = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return left[0] if len(left) == 1 else hint
    return hint


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the resolved annotations; asked for every object that is read."""
    return typing.get_type_hints(cls)


def parse(cls: type[T], value: Any, path: str) -> T:
    """Return the dataclass that JSON ``value`` stands for; ValueError names the bad field.

    Unknown keys are left out: the API server has pruned or refused them already.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{path}: expected an object, not {type(value).__name__}")
    hints = _hints(typing.cast(Any, cls))
    given: dict[str, Any] = {}
    for entry in fields(typing.cast(Any, cls)):
        key = camel_case(entry.name)
        found = value.get(key)
        if found is None:
            if entry.default is MISSING and entry.default_factory is MISSING:
                raise ValueError(f"{path}.{key}: required")
            continue
        given[entry.name] = _parse_value(_required(hints[entry.name]), found, f"{path}.{key}")
    return cls(**given)


def _parse_value(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return parse(typing.cast(type, hint), value, path)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{path}: expected a list")
        item = typing.get_args(hint)[0]
        return tuple(_parse_value(item, one, f"{path}[{i}]") for i, one in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{path}: expected an object")
        plain = typing.get_args(hint)[1] is str
        return {key: str(one) if plain else one for key, one in value.items()}
    if isinstance(hint, types.UnionType):
        if isinstance(value, typing.get_args(hint)) and not isinstance(value, bool):
            return value
        raise ValueError(f"{path}: expected {hint}, not {value!r}")
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ValueError(f"{path}: expected {hint.__name__}, not {value!r}")
    return value


def to_json(value: Any) -> dict[str, Any]:
    """Return the JSON object of a dataclass; fields equal to their default are left out."""
    found: dict[str, Any] = {}
    for entry in fields(value):
        one = getattr(value, entry.name)
        default = entry.default_factory() if entry.default_factory is not MISSING else entry.default
        if one == default and not entry.metadata[_DETAILS].keep_default:
            continue
        found[camel_case(entry.name)] = _value_json(one)
    return found


def _value_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, tuple):
        return [_value_json(one) for one in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value
