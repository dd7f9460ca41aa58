"""Server-side apply: who owns which field, what an apply changes, and who stands in its way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339

from . import field_sets
from .field_sets import MISSING, FieldSet, Path, element_of, fields_of, same_at, value_at
from .kinds import Kind
from .schema import ANY, Schema, Schemas, is_atomic_map, list_type
from .status import ApiError
from .tree import copied

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of ``metadata.managedFields``."""

    manager: str
    operation: str
    subresource: str
    api_version: str
    time: str
    fields: FieldSet

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource


def applied(
    schemas: Schemas,
    kind: Kind,
    live: Manifest,
    config: Manifest,
    *,
    manager: str,
    subresource: str,
    force: bool,
    now: datetime,
) -> dict[str, Any]:
    """Return ``live`` after ``manager`` applied ``config``, which holds all that it wants.

    What it applied before and no longer holds is removed, unless others own it too. 409 where
    another manager owns a field with another value, unless ``force`` takes it over.
    """
    schema = schemas.of(kind)
    owners = owners_of(live) or _before_first_apply(schemas, kind, live, subresource, now)
    wanted = _within(kind, fields_of(schemas, schema, config), subresource)
    us = (manager, "Apply", subresource)
    before = next((each.fields for each in owners if each.identity == us), frozenset())
    others = [each for each in owners if each.identity != us]
    merged: dict[str, Any] = _merged(schemas, schema, live, _only(kind, config, subresource))
    others, conflicts = _contested(schemas, schema, others, live, merged, wanted)
    if conflicts and not force:
        raise _conflict(conflicts, "autoscaling/v1" if subresource == "scale" else "")
    kept = {path for each in others for path in each.fields}
    removed: set[Path] = set()
    for path in sorted(before - wanted, key=len):  # an item before its fields
        is_gone = any(path[:depth] in removed for depth in range(1, len(path)))
        if not is_gone and not any(_is_within(other, path) for other in kept | wanted):
            _remove(schemas, schema, merged, path)
            removed.add(path)
    ours = Owner(manager, "Apply", subresource, kind.api_version, rfc3339(now), wanted)
    unchanged = before == wanted and {**merged, "metadata": None} == {**live, "metadata": None}
    if unchanged:
        ours = next(each for each in owners if each.identity == us) if before else ours
    _write_owners(merged, [*others, ours])
    return merged


def noted(
    schemas: Schemas,
    kind: Kind,
    old: Manifest | None,
    new: dict[str, Any],
    manager: str,
    subresource: str,
    now: datetime,
) -> dict[str, Any]:
    """Return ``new`` (changed in place) with it noted which fields ``manager`` wrote just now.

    For every write but an apply. ``new`` may bring managedFields of its own; an empty list of
    them forgets all. As in Kubernetes, what has no owner when it is changed gets none: an
    object whose owners were forgotten, and replicas that are scaled.
    """
    schema = schemas.of(kind)
    brought = new["metadata"].pop("managedFields", None)
    known = _read_owners(brought) if brought is not None else owners_of(old or {})
    if old is not None and not _any_tracked(kind, known, subresource):
        _write_owners(new, known)
        return new
    there = _within(kind, fields_of(schemas, schema, new), subresource)
    had = fields_of(schemas, schema, old) if old is not None else frozenset()
    changed = frozenset(
        path
        for path in there
        if old is None or path not in had or not same_at(schemas, schema, old, new, path)
    )
    gone = had - fields_of(schemas, schema, new)
    us = (manager, "Update", subresource)
    owners = []
    ours: Owner | None = None
    for each in known:
        if each.identity == us:
            ours = each
        else:
            owners.append(replace(each, fields=each.fields - changed - gone))
    mine = ((ours.fields - gone if ours else frozenset()) | changed) & there
    if mine:
        is_same = ours is not None and not changed and ours.fields == mine
        time = ours.time if ours is not None and is_same else rfc3339(now)
        owners.append(Owner(manager, "Update", subresource, kind.api_version, time, mine))
    _write_owners(new, owners)
    return new


def is_unchanged(old: Manifest, new: Manifest) -> bool:
    """Whether an apply changed nothing worth a write: times of ownership do not count."""
    if {**old, "metadata": None} != {**new, "metadata": None}:
        return False
    was, is_ = dict(old["metadata"]), dict(new["metadata"])
    before, after = (
        _read_owners(was.pop("managedFields", ())),
        _read_owners(is_.pop("managedFields", ())),
    )
    same_owners = {(each.identity, each.fields) for each in before} == {
        (each.identity, each.fields) for each in after
    }
    return was == is_ and same_owners


def owners_of(manifest: Manifest) -> list[Owner]:
    return _read_owners((manifest.get("metadata") or {}).get("managedFields") or ())


def _order(owner: Owner) -> tuple[str, str, str, str, str]:
    """Return what the entries are sorted by: one order for the same owners, whoever came last."""
    return owner.operation, owner.time, owner.manager, owner.api_version, owner.subresource


def _read_owners(entries: Any) -> list[Owner]:
    if not isinstance(entries, Sequence):
        return []
    return [
        Owner(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", ""),
            subresource=entry.get("subresource", ""),
            api_version=entry.get("apiVersion", ""),
            time=entry.get("time", ""),
            fields=field_sets.decoded(entry.get("fieldsV1") or {}),
        )
        for entry in entries
        if isinstance(entry, Mapping) and entry.get("manager")
    ]


def _write_owners(manifest: dict[str, Any], owners: Sequence[Owner]) -> None:
    meta = manifest["metadata"]
    meta.pop("managedFields", None)
    entries = []
    for each in sorted(owners, key=_order):
        if not each.fields:
            continue
        entry: dict[str, Any] = {
            "manager": each.manager,
            "operation": each.operation,
            "apiVersion": each.api_version,
            "time": each.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": field_sets.encoded(each.fields),
        }
        if each.subresource:
            entry["subresource"] = each.subresource
        entries.append(entry)
    if entries:
        meta["managedFields"] = entries


def _any_tracked(kind: Kind, owners: Sequence[Owner], subresource: str) -> bool:
    if subresource != "scale" or kind.scale is None:
        return bool(owners)
    replicas = tuple(f"f:{part}" for part in kind.scale.spec_replicas.split("."))
    return any(replicas in each.fields for each in owners)


def _before_first_apply(
    schemas: Schemas, kind: Kind, live: Manifest, subresource: str, now: datetime
) -> list[Owner]:
    """Return the owner that Kubernetes gives all that is there when nobody is known to own it."""
    there = _within(kind, fields_of(schemas, schemas.of(kind), live), subresource)
    version = kind.api_version
    return [Owner("before-first-apply", "Update", subresource, version, rfc3339(now), there)]


def _contested(
    schemas: Schemas,
    schema: Schema,
    others: list[Owner],
    live: Manifest,
    merged: Manifest,
    wanted: FieldSet,
) -> tuple[list[Owner], list[tuple[Owner, Sequence[Path]]]]:
    """Return the other owners, without what force takes from them, and who stands in the way."""
    differing = {path for path in wanted if not same_at(schemas, schema, live, merged, path)}
    taken = {each.identity: each.fields & differing for each in others}
    # Within a field that one side owns as a whole, the other owns nothing.
    for each in others:
        taken[each.identity] |= {
            path
            for path in each.fields - wanted
            if any(_is_within(path, mine) or _is_within(mine, path) for mine in differing)
            and not _is_container(schemas, schema, merged, path)
        }
    conflicts: list[tuple[Owner, Sequence[Path]]] = [
        (each, sorted(taken[each.identity])) for each in others if taken[each.identity]
    ]
    left = [replace(each, fields=each.fields - taken[each.identity]) for each in others]
    return left, conflicts


def _is_container(schemas: Schemas, schema: Schema, merged: Manifest, path: Path) -> bool:
    """Whether ``path`` only says that something is there, around what was applied."""
    if path[-1].startswith(("k:", "v:")):
        return True
    found = value_at(schemas, schema, merged, path)
    return isinstance(found, Mapping | list) and bool(found)


def _conflict(conflicts: Sequence[tuple[Owner, Sequence[Path]]], version: str) -> ApiError:
    """Return 409; ``version`` stands for the owners' own, as a scale shows its owners."""
    count = sum(len(paths) for _, paths in conflicts)
    causes = []
    said = []
    for owner, paths in conflicts:
        named = f'"{owner.manager}"'
        if owner.subresource:
            named += f' with subresource "{owner.subresource}"'
        if owner.operation != "Apply":
            named += f" using {version or owner.api_version}"
        shown = [field_sets.shown(path) for path in paths]
        causes += [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {named}",
                "field": field,
            }
            for field in shown
        ]
        if len(shown) == 1:
            said.append(f"conflict with {named}: {shown[0]}")
        else:
            said.append(f"conflicts with {named}:\n" + "\n".join(f"- {each}" for each in shown))
    plural = "conflict" if count == 1 else "conflicts"
    text = f"Apply failed with {count} {plural}: " + "\n".join(said)
    return ApiError(409, "Conflict", text, {"causes": causes})


def _within(kind: Kind, fields: FieldSet, subresource: str) -> FieldSet:
    """Return those of ``fields`` that a write by this path may own."""
    if subresource == "status":
        return frozenset(path for path in fields if path[0] == "f:status")
    if kind.has_status:
        return frozenset(path for path in fields if path[0] != "f:status")
    return fields


def _only(kind: Kind, config: Manifest, subresource: str) -> dict[str, Any]:
    if subresource == "status":
        return {"status": config["status"]} if "status" in config else {}
    left_out = ("status",) if kind.has_status else ()
    new = {key: value for key, value in config.items() if key not in left_out}
    new["metadata"] = {
        key: value
        for key, value in config["metadata"].items()
        if key not in ("uid", "resourceVersion", "managedFields", "creationTimestamp")
    }
    return new


def _is_within(path: Path, outer: Path) -> bool:
    return path[: len(outer)] == outer


def _merged(schemas: Schemas, schema: Schema, live: Any, config: Any) -> Any:
    if isinstance(config, Mapping):
        if is_atomic_map(schema) or not isinstance(live, Mapping):
            return copied(config)
        merged: dict[str, Any] = copied(live)
        for key, value in config.items():
            below = schemas.field(schema, key) or ANY
            merged[key] = _merged(schemas, below, live.get(key), value)
        return merged
    if isinstance(config, list) and isinstance(live, list) and list_type(schema) != "atomic":
        return _merged_list(schemas, schema, live, config)
    return copied(config)


def _merged_list(
    schemas: Schemas, schema: Schema, live: Sequence[Any], config: Sequence[Any]
) -> list[Any]:
    """Return the items of both, each with those of its own list before it: live's order first."""
    below = schemas.items(schema)
    wanted = {element_of(schemas, schema, item): item for item in config}
    merged = []
    for item in live:
        ours = wanted.pop(element_of(schemas, schema, item), MISSING)
        merged.append(copied(item) if ours is MISSING else _merged(schemas, below, item, ours))
    return [*merged, *(copied(item) for item in wanted.values())]


def _remove(schemas: Schemas, schema: Schema, value: Any, path: Path) -> None:
    """Remove what ``path`` names from ``value``, with the objects that this leaves empty."""
    element, rest = path[0], path[1:]
    if element.startswith("f:"):
        key = element[2:]
        if not isinstance(value, dict) or key not in value:
            return
        if rest:
            _remove(schemas, schemas.field(schema, key) or ANY, value[key], rest)
            if value[key] not in ({}, []):
                return
        del value[key]
        return
    index = field_sets.index_of(schemas, schema, value, element)
    if index is None:
        return
    if not rest:
        del value[index]
    elif rest[0][2:] not in (schema.get("x-kubernetes-list-map-keys") or ()):
        _remove(schemas, schemas.items(schema), value[index], rest)
