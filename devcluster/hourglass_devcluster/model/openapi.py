"""OpenAPI v3: what each kind looks like and which verbs its paths take.

``kubectl explain`` reads the schemas; ``kubectl apply`` reads the merge keys in them and, from
the parameters of PATCH, that the server validates fields itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from .kinds import Kind
from .schema import REF, Schemas

Manifest = Mapping[str, Any]

_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"
_ACTIONS = {"get": "get", "list": "list", "create": "post", "update": "put", "patch": "patch"}


def index(kinds: Iterable[Kind]) -> dict[str, Any]:
    """Return ``/openapi/v3``: one document for each group and version."""
    paths = {}
    for version in dict.fromkeys(kind.api_version for kind in kinds):
        name = f"apis/{version}" if "/" in version else f"api/{version}"
        # Clients keep a document for as long as its URL stays: it must change with the kinds.
        schemas = [kind.custom for kind in kinds if kind.api_version == version]
        tag = f"{crc32(repr(schemas).encode()):08X}"
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={tag}"}
    return {"paths": paths}


def document(schemas: Schemas, kinds: Sequence[Kind], api_version: str) -> dict[str, Any] | None:
    """Return the document of one group and version, None if it is not served."""
    served = [kind for kind in kinds if kind.api_version == api_version]
    if not served:
        return None
    wanted = [kind.schema for kind in served]
    components: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name not in components:
            components[name] = schemas.definitions.get(name, {"type": "object"})
            wanted.extend(_references(components[name]))
    for kind in served:
        components[kind.schema] = {
            **components[kind.schema],
            "x-kubernetes-group-version-kind": [_gvk(kind)],
        }
    paths: dict[str, Any] = {}
    for kind in served:
        paths |= _paths(kind)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Hourglass dev cluster", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _references(schema: Any) -> Iterable[str]:
    if isinstance(schema, Mapping):
        target = schema.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(REF)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _paths(kind: Kind) -> dict[str, Any]:
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    place = "/namespaces/{namespace}" if kind.namespaced else ""
    collection, one = f"{root}{place}/{kind.plural}", f"{root}{place}/{kind.plural}/{{name}}"
    paths: dict[str, Any] = {}
    for path, verbs in ((collection, ("list", "create")), (one, ("get", "update", "patch"))):
        operations = {
            _ACTIONS[verb] if verb != "list" else "get": _operation(kind, verb)
            for verb in verbs
            if verb in kind.verbs
        }
        if operations:
            paths[path] = operations
    return paths


def _operation(kind: Kind, verb: str) -> dict[str, Any]:
    answer = {"application/json": {"schema": {"$ref": REF + kind.schema}}}
    operation: dict[str, Any] = {
        "operationId": f"{verb}{kind.kind}",
        "x-kubernetes-action": _ACTIONS[verb],
        "x-kubernetes-group-version-kind": _gvk(kind),
        "responses": {"200": {"description": "OK", "content": answer}},
    }
    if verb in ("create", "update", "patch"):
        names = ("dryRun", "fieldManager", "fieldValidation")
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in names
        ]
    if verb == "patch":
        media = _PATCH_TYPES if kind.custom is not None else (*_PATCH_TYPES, _STRATEGIC)
        body = {"schema": {"type": "object"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(media, body)}
    return operation
