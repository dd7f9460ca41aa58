"""Strategic merge patch: lists merge by the keys that the schema of a built-in kind names."""

from collections.abc import Mapping, Sequence
from typing import Any

from .kinds import Kind
from .schema import ANY, Schema, Schemas
from .status import bad_request
from .tree import copied

Manifest = Mapping[str, Any]

_DIRECTIVE = "$patch"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def strategic_patched(schemas: Schemas, kind: Kind, base: Manifest, patch: Any) -> dict[str, Any]:
    """Return ``base`` after the patch; neither argument changes. 400 if it is none."""
    if not isinstance(patch, Mapping):
        raise bad_request("a strategic merge patch is an object")
    return _object(schemas, schemas.of(kind), copied(base), patch)


def _object(
    schemas: Schemas, schema: Schema, base: dict[str, Any], patch: Manifest
) -> dict[str, Any]:
    match patch.get(_DIRECTIVE):
        case None | "merge":
            pass
        case "replace":
            return {key: copied(value) for key, value in patch.items() if key != _DIRECTIVE}
        case "delete":
            return {}
        case other:
            raise bad_request(f"unknown $patch directive: {other!r}")
    if (kept := patch.get(_RETAIN)) is not None:
        base = {key: value for key, value in base.items() if key in kept}
    for key, value in patch.items():
        _field(schemas, schema, base, key, value)
    for key, order in patch.items():
        if key.startswith(_ORDER):
            _reorder(schemas, schema, base, key.removeprefix(_ORDER), order)
    return base


def _field(schemas: Schemas, schema: Schema, base: dict[str, Any], key: str, value: Any) -> None:
    if key in (_DIRECTIVE, _RETAIN) or key.startswith(_ORDER):
        return
    if key.startswith(_DELETE_PRIMITIVES):
        name = key.removeprefix(_DELETE_PRIMITIVES)
        base[name] = [each for each in base.get(name) or () if each not in value]
    elif value is None:
        base.pop(key, None)
    else:
        base[key] = _value(schemas, schemas.field(schema, key) or ANY, base.get(key), value)


def _value(schemas: Schemas, schema: Schema, base: Any, patch: Any) -> Any:
    if isinstance(patch, Mapping):
        return _object(schemas, schema, dict(base) if isinstance(base, Mapping) else {}, patch)
    if isinstance(patch, list):
        if "merge" not in str(schema.get("x-kubernetes-patch-strategy", "")).split(","):
            return copied([each for each in patch if not _is_directive(each)])
        merge_key = schema.get("x-kubernetes-patch-merge-key")
        held = base if isinstance(base, list) else []
        if merge_key is None:
            return [*held, *(each for each in patch if each not in held)]
        return _list(schemas, schemas.items(schema), str(merge_key), held, patch)
    return patch


def _is_directive(item: Any) -> bool:
    return isinstance(item, Mapping) and _DIRECTIVE in item and len(item) == 1


def _list(
    schemas: Schemas, schema: Schema, key: str, base: Sequence[Any], patch: Sequence[Any]
) -> list[Any]:
    if {_DIRECTIVE: "replace"} in patch:
        return [copied(each) for each in patch if not _is_directive(each)]
    merged = list(base)
    added: list[Any] = []
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise bad_request(f"map: {item!r} does not contain declared merge key: {key}")
        places = [at for at, each in enumerate(merged) if each.get(key) == item[key]]
        if item.get(_DIRECTIVE) == "delete":
            merged = [each for each in merged if each.get(key) != item[key]]
        elif places:
            merged[places[0]] = _object(schemas, schema, dict(merged[places[0]]), item)
        else:
            added.append(_object(schemas, schema, {}, item))
    return [*added, *merged]


def _reorder(schemas: Schemas, schema: Schema, base: dict[str, Any], name: str, order: Any) -> None:
    """Put the named elements into the order asked for; the others keep their place after them."""
    held = base.get(name)
    if not isinstance(held, list) or not isinstance(order, list):
        return
    key = (schemas.field(schema, name) or ANY).get("x-kubernetes-patch-merge-key")

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, Mapping) else item

    ranks = {str(identity(each)): rank for rank, each in enumerate(order)}
    last = len(ranks)
    base[name] = sorted(held, key=lambda item: ranks.get(str(identity(item)), last))
