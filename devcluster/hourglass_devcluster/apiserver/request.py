"""A request as the API reads it: which kind, object and subresource, and in which form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
import yaml
from aiohttp import web

from hourglass_devcluster.model.kinds import Kind
from hourglass_devcluster.model.registry import PatchType, Write
from hourglass_devcluster.model.status import (
    ApiError,
    bad_request,
    no_such_path,
    not_served,
    unsupported_media_type,
)

Form = Literal["object", "table", "partial"]

_PATCH_TYPES: Mapping[str, PatchType] = {
    "application/merge-patch+json": "merge",
    "application/json-patch+json": "json",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_VALIDATIONS: Mapping[str, Literal["Ignore", "Warn", "Strict"]] = {
    "": "Warn",
    "Ignore": "Ignore",
    "Warn": "Warn",
    "Strict": "Strict",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names. ``name`` empty means the collection; ``namespace`` empty means all."""

    kind: Kind
    namespace: str
    name: str
    subresource: str


class Paths:
    """The kinds by (group, version, plural), for looking paths up."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {(kind.group, kind.version, kind.plural): kind for kind in kinds}

    def target(self, path: str) -> Target:
        """Return what ``path`` names. ApiError 404 if the dev cluster does not serve it."""
        match path.strip("/").split("/"):
            case ["api", version, *rest]:
                group = ""
            case ["apis", group, version, *rest]:
                pass
            case _:
                raise no_such_path()
        namespace = ""
        if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        kind = self._kinds.get((group, version, rest[0] if rest else ""))
        if kind is None or (namespace and not kind.namespaced):
            raise not_served(f"{group}/{version} {'/'.join(rest[:1])}".strip("/ "))
        name, subresource = (*rest[1:], "", "")[:2]
        if len(rest) > 3 or not kind.serves(subresource):
            raise not_served(f"{kind.plural}/{subresource}")
        if name and kind.namespaced and not namespace:
            raise no_such_path()
        return Target(kind, namespace, name, subresource)


def form_of(request: web.Request) -> tuple[Form, str]:
    """Return the form that the Accept header asks for first, and its meta.k8s.io version.

    406 if no form of JSON is among them.
    """
    accepted = request.headers.get("Accept", "*/*")
    for part in accepted.split(","):
        media, *parameters = (each.strip() for each in part.split(";"))
        options = dict(each.split("=", 1) for each in parameters if "=" in each)
        if media not in ("application/json", "*/*", "application/*"):
            continue
        match options.get("as"):
            case None:
                return "object", "v1"
            case "Table":
                return "table", options.get("v", "v1")
            case "PartialObjectMetadata" | "PartialObjectMetadataList":
                return "partial", options.get("v", "v1")
            case _:
                continue
    if "yaml" in accepted:
        return "object", "v1"
    raise ApiError(
        406,
        "NotAcceptable",
        "only the following media types are accepted: application/json, "
        "application/json;as=Table;g=meta.k8s.io;v=v1",
    )


async def body_of(request: web.Request) -> Any:
    """Return the decoded body, None if there is none. 400 if it can not be read, 415 if it is
    neither JSON nor YAML."""
    content = await request.read()
    if not content:
        return None
    media = request.content_type
    try:
        if media.endswith("yaml"):
            try:
                return orjson.loads(content)  # JSON is YAML, and the YAML reader is slow
            except orjson.JSONDecodeError:
                return yaml.safe_load(content)
        if media.endswith("json") or media == "application/octet-stream":
            return orjson.loads(content)
    except (orjson.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as exc:
        raise bad_request(f"the body of the request can not be read: {exc}") from exc
    raise unsupported_media_type(media, ("application/json", "application/yaml"))


def patch_type(request: web.Request, kind: Kind) -> PatchType:
    """Return the kind of patch by its media type; 415 if this kind does not take it."""
    how = _PATCH_TYPES.get(request.content_type)
    if how is None or (how == "strategic" and kind.custom is not None):
        known = [
            media
            for media, name in _PATCH_TYPES.items()
            if name != "strategic" or kind.custom is None
        ]
        raise unsupported_media_type(request.content_type, known)
    return how


def write_of(request: web.Request, now: datetime) -> Write:
    """Return how a write is asked for. 400 for options that are not known."""
    query = request.query
    dry_run = query.getall("dryRun", [])
    if any(each not in ("All", "") for each in dry_run):
        raise bad_request(f'dryRun: Unsupported value: "{dry_run[0]}": supported values: "All"')
    validation = _VALIDATIONS.get(query.get("fieldValidation", ""))
    if validation is None:
        raise bad_request('fieldValidation: supported values: "Ignore", "Warn", "Strict"')
    agent = request.headers.get("User-Agent", "unknown")
    return Write(
        now=now,
        manager=query.get("fieldManager") or agent.split("/")[0] or "unknown",
        dry_run="All" in dry_run,
        force=query.get("force", "") in ("true", "1"),
        validation=validation,
    )


def flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")


def number(request: web.Request, name: str) -> int | None:
    """Return a whole number of the query, None if it is not there; 400 if it is none."""
    text = request.query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'{name}: "{text}" is not a number') from None
