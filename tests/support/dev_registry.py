"""The dev cluster's rules without a server: a registry in memory, on a fixed time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import hourglass_devcluster.apiserver
import orjson
from hourglass_devcluster.model.admission import Admission
from hourglass_devcluster.model.kinds import BUILT_IN, NAMESPACES, Kind, custom_kind
from hourglass_devcluster.model.registry import Registry, Write
from hourglass_devcluster.model.schema import Schemas
from hourglass_devcluster.model.store import Change, Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

_NAMED = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
}
_SPEC = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "maxLength": 20, "pattern": "^[a-z0-9:.-]+$"},
        "replicas": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
        "mode": {"type": "string", "enum": ["A", "B"]},
        "env": {
            "type": "array",
            "items": _NAMED,
            "maxItems": 3,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
        "args": {"type": "array", "items": {"type": "string"}},
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
        },
        "limits": {
            "type": "object",
            "additionalProperties": {"x-kubernetes-int-or-string": True},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [
        {"rule": "self.image != 'bad'", "message": "image is bad"},
        {
            "rule": "oldSelf.image != 'last' || self.image == 'last'",
            "message": "the last image stays",
        },
    ],
}
WIDGET_CRD: Mapping[str, Any] = {
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": _SPEC,
                            "status": {
                                "type": "object",
                                "properties": {
                                    "phase": {"type": "string"},
                                    "replicas": {"type": "integer"},
                                    "selector": {"type": "string"},
                                },
                            },
                        },
                    }
                },
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "additionalPrinterColumns": [
                    {"name": "Image", "type": "string", "jsonPath": ".spec.image"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            }
        ],
    },
}
WIDGETS = custom_kind(WIDGET_CRD)


def built_in_schemas() -> Mapping[str, Any]:
    folder = Path(hourglass_devcluster.apiserver.__file__).parent
    schemas: Mapping[str, Any] = orjson.loads((folder / "kubernetes_schemas.json").read_bytes())
    return schemas


KINDS: tuple[Kind, ...] = (*BUILT_IN, WIDGETS)
SCHEMAS = Schemas(built_in_schemas(), KINDS)


def make_registry(changes: list[Change] | None = None) -> Registry:
    """Return a registry with the namespace ``default``; its changes go into ``changes``."""
    numbers = count(1)
    seen: list[Change] = [] if changes is None else changes
    registry = Registry(
        Store(),
        Admission(SCHEMAS),
        new_uid=lambda: f"uid-{next(numbers)}",
        suffix=lambda: "abcde",
        on_change=seen.append,
    )
    registry.create(NAMESPACES, "", {"metadata": {"name": "default"}}, write())
    seen.clear()
    return registry


def write(manager: str = "tester", **options: Any) -> Write:
    return Write(now=NOW, manager=manager, **options)


def widget(name: str = "w", **spec: Any) -> dict[str, Any]:
    spec = {"image": "img:1", **spec}
    typed = {"apiVersion": WIDGETS.api_version, "kind": WIDGETS.kind}
    return {**typed, "metadata": {"name": name}, "spec": spec}


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    containers: Sequence[Any] = [{"name": "main", "image": "img:1"}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}
