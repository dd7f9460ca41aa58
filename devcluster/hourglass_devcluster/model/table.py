"""Tables, as ``kubectl get`` prints them: columns by kind, one row for each object."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from . import builtin_columns
from .ages import age_of
from .jsonpath import find
from .kinds import Column, Kind

Manifest = Mapping[str, Any]

_NAME = Column("Name", "string", "", "name", "Name must be unique within a namespace.", 0)


def table(
    kind: Kind,
    items: Sequence[Manifest],
    *,
    now: datetime,
    meta_version: str = "v1",
    meta: Manifest | None = None,
    include: str = "Metadata",
) -> dict[str, Any]:
    """Return the Table of ``items``.

    Each row carries its object's metadata, the whole ``Object`` or ``None`` of it: ``include``.
    """
    columns = (_NAME, *kind.columns) if kind.custom is not None else _builtin(kind)
    if meta is None:
        place = items[0]["metadata"] if items else {}
        meta = {"resourceVersion": place.get("resourceVersion", "")}
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{meta_version}",
        "metadata": dict(meta),
        "columnDefinitions": [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in columns
        ],
        "rows": [
            {
                "cells": _cells(kind, columns, item, now),
                **_carried(item, meta_version, include),
            }
            for item in items
        ],
    }


def _cells(kind: Kind, columns: Sequence[Column], item: Manifest, now: datetime) -> list[Any]:
    if kind.custom is None:
        return builtin_columns.cells(kind, item, now)
    return [item["metadata"]["name"], *(_cell(column, item, now) for column in columns[1:])]


def _carried(item: Manifest, meta_version: str, include: str) -> dict[str, Any]:
    match include:
        case "None":
            return {}
        case "Object":
            return {"object": item}
        case _:
            partial = {
                "kind": "PartialObjectMetadata",
                "apiVersion": f"meta.k8s.io/{meta_version}",
                "metadata": item["metadata"],
            }
            return {"object": partial}


def _cell(column: Column, item: Manifest, now: datetime) -> Any:
    """Return the value of one column, None where the object has none."""
    found = find(column.path, item)
    if not found:
        return None
    value = found[0]
    match column.type:
        case "date":
            return age_of(value, now) or "<invalid>"
        case "integer" | "number" | "boolean":
            return value if isinstance(value, int | float) else None
        case _:
            if isinstance(value, list | Mapping):
                return str(value)
            return ",".join(str(each) for each in found)


def _builtin(kind: Kind) -> tuple[Column, ...]:
    named = builtin_columns.COLUMNS.get(kind.stored_as, builtin_columns.PLAIN)
    return tuple(
        Column(name, type_, "", "name" if name == "Name" else "", "", priority)
        for name, type_, priority in named
    )
