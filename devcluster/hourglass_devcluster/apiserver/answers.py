"""Answers: objects, lists and tables as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from hourglass_devcluster.model.events import outward
from hourglass_devcluster.model.kinds import Kind
from hourglass_devcluster.model.status import ApiError
from hourglass_devcluster.model.table import table

from .request import Form

Manifest = Mapping[str, Any]


def answer(body: Any, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    response = web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def failure(error: ApiError) -> web.Response:
    response = answer(error.body(), error.code)
    if error.code == 429:
        response.headers["Retry-After"] = "1"
    return response


def success(kind: Kind, manifest: Manifest) -> dict[str, Any]:
    """Return the Status that says that an object is gone."""
    details = {
        "name": manifest["metadata"]["name"],
        "group": kind.group,
        "kind": kind.plural,
        "uid": manifest["metadata"]["uid"],
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def shown(
    kind: Kind,
    manifest: Manifest,
    form: Form,
    version: str,
    now: datetime,
    include: str = "Metadata",
) -> Any:
    """Return one stored object in the form asked for."""
    manifest = outward(kind, manifest)
    match form:
        case "object":
            return manifest
        case "table":
            return table(kind, [manifest], now=now, meta_version=version, include=include)
        case "partial":
            return _partial(manifest, version)


def listed(
    kind: Kind,
    manifests: Sequence[Manifest],
    form: Form,
    version: str,
    *,
    now: datetime,
    meta: Manifest,
    include: str = "Metadata",
) -> Any:
    """Return a collection of stored objects in the form asked for."""
    items = [outward(kind, manifest) for manifest in manifests]
    if form == "table":
        return table(kind, items, now=now, meta_version=version, meta=meta, include=include)
    if form == "partial":
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": meta,
            "items": [_partial(item, version) for item in items],
        }
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": meta,
        "items": items,
    }


def _partial(manifest: Manifest, version: str) -> dict[str, Any]:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": manifest["metadata"],
    }
