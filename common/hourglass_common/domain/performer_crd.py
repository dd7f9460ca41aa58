"""The CustomResourceDefinition of Performer, made from the types in ``performer``. Pure."""

from typing import Any

from .performer import GROUP, NAME_RULE, VERSION, PerformerSpec
from .performer_status import PerformerStatus
from .schema import object_schema, with_rules

_COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("AVS", "string", ".spec.avsAddress", 0),
    ("Image", "string", ".spec.image", 0),
    ("Version", "string", ".spec.version", 0),
    ("Phase", "string", ".status.phase", 0),
    ("Endpoint", "string", ".status.grpcEndpoint", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Replicas", "integer", ".status.readyReplicas", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
)


def performer_crd() -> dict[str, Any]:
    """Return the whole CustomResourceDefinition as JSON."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"performers.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "Performer",
                "listKind": "PerformerList",
                "plural": "performers",
                "singular": "performer",
                "shortNames": ["perf"],
                "categories": ["all", "hourglass"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path} | ({"priority": 1} if priority else {})
            for name, kind, path, priority in _COLUMNS
        ],
    }


def _schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A workload that executes tasks over gRPC for an AVS.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": "Version of this schema: hourglass.eigenlayer.io/v1alpha1.",
            },
            "kind": {"type": "string", "description": "Performer."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": {"description": "What should run.", **object_schema(PerformerSpec)},
            "status": {
                "description": "What runs; written by the operator.",
                # Shown until the operator has written: tools that compare it with the generation
                # would take an object without a status for one that is done.
                "default": {"observedGeneration": -1},
                **object_schema(PerformerStatus),
            },
        },
        **with_rules((NAME_RULE,)),
    }
