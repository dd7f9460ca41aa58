"""Printing objects: as a table for people, as JSON, YAML or names for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Manifest = Mapping[str, Any]


class Format(StrEnum):
    """The values of ``-o``."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


COLUMNS = ("NAMESPACE", "NAME", "AVS", "IMAGE", "VERSION", "PHASE", "READY", "ENDPOINT", "AGE")
WIDE_COLUMNS = (*COLUMNS, "REASON", "REVISION", "MESSAGE")


def row(performer: Manifest, now: datetime) -> tuple[str, ...]:
    """Return a performer's cells, as ``COLUMNS`` names them."""
    meta, spec = performer["metadata"], performer.get("spec") or {}
    status = performer.get("status") or {}
    wanted = spec.get("replicas", 1)
    return (
        str(meta.get("namespace", "")),
        str(meta["name"]),
        str(spec.get("avsAddress", "")),
        str(spec.get("image", "")),
        str(spec.get("version", "")),
        str(status.get("phase", "")) or "Pending",
        f"{status.get('readyReplicas', 0)}/{wanted}",
        str(status.get("grpcEndpoint", "")),
        age(str(meta.get("creationTimestamp", "")), now),
    )


def wide_row(performer: Manifest, now: datetime) -> tuple[str, ...]:
    """Return a performer's cells, as ``WIDE_COLUMNS`` names them."""
    ready = condition(performer, "Ready")
    return (
        *row(performer, now),
        str(ready.get("reason", "")),
        str((performer.get("status") or {}).get("inServiceRevision", "")),
        str(ready.get("message", "")),
    )


def condition(performer: Manifest, kind: str) -> Manifest:
    """Return the condition ``kind``, empty where the performer has none."""
    for found in (performer.get("status") or {}).get("conditions") or ():
        if found.get("type") == kind:
            return dict(found)
    return {}


def age(created: str, now: datetime) -> str:
    """Return the time since ``created`` (RFC 3339) in the form of kubectl: 5s, 3m, 2h, 7d."""
    if not created:
        return "<unknown>"
    moment = datetime.fromisoformat(created).astimezone(UTC)
    seconds = max(0, int((now - moment).total_seconds()))
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit}{name}"
    return f"{seconds // 86_400}d"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return left-aligned columns, three spaces apart."""
    lines = [tuple(header), *(tuple(cells) for cells in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def listing(performers: Sequence[Manifest], form: Format, now: datetime) -> str:
    """Return ``performers`` in ``form``; a list of them in JSON and YAML, as kubectl does."""
    match form:
        case Format.TABLE | Format.WIDE if not performers:
            return "No performers found."
        case Format.TABLE:
            return table(COLUMNS, (row(performer, now) for performer in performers))
        case Format.WIDE:
            return table(WIDE_COLUMNS, (wide_row(performer, now) for performer in performers))
        case Format.NAME:
            return "\n".join(f"performer/{p['metadata']['name']}" for p in performers)
        case Format.JSON | Format.YAML:
            items = {"apiVersion": "v1", "kind": "List", "items": list(performers)}
            return document(items, form)


def one(performer: Manifest, form: Format, now: datetime) -> str:
    """Return one performer in ``form``."""
    if form in (Format.JSON, Format.YAML):
        return document(performer, form)
    return listing((performer,), form, now)


def document(content: Manifest, form: Format) -> str:
    """Return ``content`` as YAML or as indented JSON, keys in order as kubectl has them."""
    if form is Format.YAML:
        import yaml

        return yaml.safe_dump(dict(content), sort_keys=True).rstrip()
    import json

    return json.dumps(content, indent=2, sort_keys=True)
