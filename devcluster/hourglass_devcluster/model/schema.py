"""The OpenAPI schemas of all kinds, resolved: what each field is and how lists merge."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .kinds import Kind

Schema = Mapping[str, Any]
Manifest = Mapping[str, Any]

REF = "#/components/schemas/"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
ANY: Schema = {}
"""The schema of what no schema describes: objects merge, lists are replaced."""


class Schemas:
    """``definitions`` are those of the built-in kinds; custom kinds bring their own."""

    def __init__(self, definitions: Mapping[str, Schema], kinds: Iterable[Kind]) -> None:
        self.definitions: dict[str, Schema] = dict(definitions)
        for kind in kinds:
            if kind.custom is not None:
                self.definitions[kind.schema] = _custom_root(kind.custom)

    def of(self, kind: Kind) -> Schema:
        return self.definitions[kind.schema]

    def resolved(self, schema: Schema) -> Schema:
        """Return ``schema`` itself, or what it refers to together with what it says besides."""
        target = schema.get("$ref")
        if target is None:
            return schema
        found = self.definitions.get(target.removeprefix(REF), ANY)
        besides = {key: value for key, value in schema.items() if key != "$ref"}
        return {**found, **besides} if besides else found

    def field(self, schema: Schema, key: str) -> Schema | None:
        """Return the schema of ``key`` in an object; None if it is not declared."""
        declared = (schema.get("properties") or {}).get(key)
        if declared is not None:
            return self.resolved(declared)
        others = schema.get("additionalProperties")
        if isinstance(others, Mapping):
            return self.resolved(others)
        if others is True or is_open(schema):
            return ANY
        return None

    def items(self, schema: Schema) -> Schema:
        found = schema.get("items")
        return self.resolved(found) if isinstance(found, Mapping) else ANY

    def item_key(self, schema: Schema, item: Any) -> tuple[tuple[str, Any], ...]:
        """Return what identifies ``item`` in a list of type map: its keys and their values."""
        keys: Sequence[str] = schema.get("x-kubernetes-list-map-keys") or ()
        below = self.items(schema)
        pairs = []
        for key in sorted(keys):
            value = item.get(key) if isinstance(item, Mapping) else None
            if value is None:
                value = (self.field(below, key) or ANY).get("default")
            if value is not None:
                pairs.append((key, value))
        return tuple(pairs)


def is_open(schema: Schema) -> bool:
    """Whether an object may hold fields that its schema does not declare."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return True
    return "properties" not in schema and schema.get("additionalProperties") in (None, True)


def list_type(schema: Schema) -> str:
    """Return ``map``, ``set`` or ``atomic``."""
    return str(schema.get("x-kubernetes-list-type", "atomic"))


def is_atomic_map(schema: Schema) -> bool:
    return schema.get("x-kubernetes-map-type") == "atomic"


def _custom_root(schema: Schema) -> Schema:
    return {
        **schema,
        "properties": {
            **(schema.get("properties") or {}),
            "apiVersion": {"type": "string", **_described(schema, "apiVersion")},
            "kind": {"type": "string", **_described(schema, "kind")},
            "metadata": {"$ref": REF + OBJECT_META},
        },
    }


def _described(schema: Schema, key: str) -> Schema:
    text = ((schema.get("properties") or {}).get(key) or {}).get("description")
    return {"description": text} if text else {}
