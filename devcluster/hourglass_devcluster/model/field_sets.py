"""Sets of fields, as ``metadata.managedFields`` keeps them (FieldsV1).

A path is a tuple of elements: ``f:name`` for a field, ``k:{...}`` for an item of a list by its
keys, ``v:...`` for an item of a set. The path of an item itself stands for its being there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from .schema import ANY, Schema, Schemas, is_atomic_map, list_type

Path = tuple[str, ...]
FieldSet = frozenset[Path]
Manifest = Mapping[str, Any]

MISSING: Any = object()

# No one owns what says which object it is, or what only the server writes.
_META = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_UNOWNED = frozenset(
    {("f:apiVersion",), ("f:kind",), *(("f:metadata", f"f:{name}") for name in _META)}
)


def fields_of(schemas: Schemas, schema: Schema, manifest: Any) -> FieldSet:
    """Return the paths of all that ``manifest`` says."""
    return frozenset(path for path in _leaves(schemas, schema, manifest, ()) if _is_ownable(path))


def _is_ownable(path: Path) -> bool:
    if path in ((), ("f:metadata",)):
        return False
    return path[:1] not in _UNOWNED and path[:2] not in _UNOWNED


def _leaves(schemas: Schemas, schema: Schema, value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, Mapping) and value and not is_atomic_map(schema):
        for key, item in value.items():
            below = schemas.field(schema, key) or ANY
            yield from _leaves(schemas, below, item, (*path, f"f:{key}"))
    elif isinstance(value, list) and list_type(schema) != "atomic":
        below = schemas.items(schema)
        for item in value:
            where = (*path, element_of(schemas, schema, item))
            yield where
            if isinstance(item, Mapping):
                yield from _leaves(schemas, below, item, where)
    else:
        yield path


def element_of(schemas: Schemas, schema: Schema, item: Any) -> str:
    """Return the path element of ``item`` in a list of type map or set."""
    if list_type(schema) == "map":
        return "k:" + orjson.dumps(dict(schemas.item_key(schema, item))).decode()
    return "v:" + orjson.dumps(item).decode()


def value_at(schemas: Schemas, schema: Schema, value: Any, path: Path) -> Any:
    """Return what ``path`` names, MISSING where there is nothing."""
    for element in path:
        kind, _, text = element.partition(":")
        if kind == "f":
            if not isinstance(value, Mapping) or text not in value:
                return MISSING
            value, schema = value[text], schemas.field(schema, text) or ANY
            continue
        found = index_of(schemas, schema, value, element)
        if found is None:
            return MISSING
        value, schema = value[found], schemas.items(schema)
    return value


def index_of(schemas: Schemas, schema: Schema, items: Any, element: str) -> int | None:
    """Return where in a list of type map or set the item of ``element`` is."""
    if not isinstance(items, list) or list_type(schema) == "atomic":
        return None
    for index, item in enumerate(items):
        if element_of(schemas, schema, item) == element:
            return index
    return None


def same_at(schemas: Schemas, schema: Schema, one: Any, other: Any, path: Path) -> bool:
    """Whether ``path`` holds the same in both; of an item only its being there counts."""
    first = value_at(schemas, schema, one, path)
    second = value_at(schemas, schema, other, path)
    if first is MISSING or second is MISSING:
        return first is second
    return path[-1].startswith(("k:", "v:")) or bool(first == second)


def encoded(paths: Iterable[Path]) -> dict[str, Any]:
    """Return a set as FieldsV1."""
    root: dict[str, Any] = {}
    every = set(paths)
    for path in sorted(every):
        node = root
        for depth, element in enumerate(path, 1):
            node = node.setdefault(element, {})
            if path[:depth] in every and element.startswith("k:"):
                node.setdefault(".", {})
    return root


def decoded(fields: Any) -> FieldSet:
    """Return FieldsV1 as a set."""
    return frozenset(path for path in _decoded(fields, ()) if path)


def _decoded(node: Any, path: Path) -> Iterator[Path]:
    if not isinstance(node, Mapping) or not node:
        yield path
        return
    for element, below in node.items():
        if element == ".":
            yield path
        else:
            yield from _decoded(below, (*path, element))


def shown(path: Path) -> str:
    """Return ``path`` as messages write it: ``.spec.env[name="A"].value``."""
    said = ""
    for element in path:
        kind, _, text = element.partition(":")
        match kind:
            case "f":
                said += f".{text}"
            case "k":
                keys = orjson.loads(text)
                pairs = ",".join(f"{key}={orjson.dumps(keys[key]).decode()}" for key in keys)
                said += f"[{pairs}]"
            case _:
                said += f"[={text}]"
    return said
