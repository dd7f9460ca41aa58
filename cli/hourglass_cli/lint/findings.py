"""What is wrong with a Performer manifest, and what may surprise: without a cluster. Pure.

The schema and the rules are those of the CRD, asked by the engine of the dev cluster, so that the
words are the API's.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import orjson
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.domain.performer_pod import DEFAULT_GRPC_PORT, TEE_TYPES
from hourglass_devcluster.model import fields, meta
from hourglass_devcluster.model.admission import Admission
from hourglass_devcluster.model.kinds import BUILT_IN, Kind, custom_kind
from hourglass_devcluster.model.schema import ANY, Schema, Schemas
from hourglass_devcluster.model.status import ApiError

Manifest = Mapping[str, Any]
Severity = Literal["error", "warning"]

_NOT_ALL_ASKED = "<nil>"
_AGAIN = "every apply of this manifest undoes what was done by hand"


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    field: str
    text: str


def is_performer(content: Any) -> bool:
    """Whether a document means to be a Performer."""
    return isinstance(content, Mapping) and content.get("kind") == "Performer"


def findings(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what the API would refuse of a Performer, then what is worth a word."""
    return (*_violations(manifest), *_warnings(manifest))


@cache
def _kind() -> Kind:
    return custom_kind(performer_crd())


@cache
def _admission() -> Admission:
    text = (files("hourglass_devcluster.apiserver") / "kubernetes_schemas.json").read_bytes()
    return Admission(Schemas(orjson.loads(text), (*BUILT_IN, _kind())))


def _violations(manifest: Manifest) -> Iterator[Finding]:
    kind, admission = _kind(), _admission()
    if manifest.get("apiVersion") != kind.api_version:
        yield Finding("error", "apiVersion", f"must be {kind.api_version}")
    if not isinstance(manifest.get("metadata", {}), Mapping):
        yield Finding("error", "metadata", "must be an object")
        return
    made: dict[str, Any] = deepcopy(dict(manifest))
    made["metadata"] = {"namespace": "default", **made.get("metadata", {})}
    for path in fields.pruned(admission.schemas, kind, made):
        yield Finding("error", path, _unknown(admission.schemas, kind, path))
    for ask in (_metadata, _spec):
        try:
            ask(kind, made)
        except ApiError as error:
            yield from _of_refusal(error)


def _metadata(kind: Kind, made: Manifest) -> None:
    fields.check_meta_types(_admission().schemas, kind, made)
    meta.validate(kind, made)


def _spec(kind: Kind, made: Manifest) -> None:
    """Ask for the rest as well where the metadata would be refused before it is looked at."""
    metadata = {"name": made["metadata"].get("name")}
    try:
        meta.validate(kind, {"metadata": metadata})
    except (ApiError, TypeError):
        metadata = {"name": "any"}
    _admission().admit(kind, {**made, "metadata": metadata}, None, "Ignore", [])


def _of_refusal(error: ApiError) -> Iterator[Finding]:
    causes = (error.details or {}).get("causes") or ()
    for cause in causes:
        if cause["field"] != _NOT_ALL_ASKED:
            yield Finding("error", cause["field"], cause["message"])
    if not causes:
        yield Finding("error", "metadata", error.message)


def _unknown(schemas: Schemas, kind: Kind, path: str) -> str:
    """Return the API's words, and the known name that is nearest."""
    *above, last = re.findall(r"[^.\[\]]+", path)
    schema: Schema = schemas.of(kind)
    for step in above:
        schema = schemas.items(schema) if step.isdigit() else schemas.field(schema, step) or ANY
    near = difflib.get_close_matches(last, schema.get("properties") or {}, n=1)
    return f'unknown field "{path}"' + (f"; did you mean {near[0]}?" if near else "")


def _at(spec: Any, path: str) -> Any:
    """Return what is at ``path``, None where there is nothing or something else above it."""
    for key in path.split("."):
        spec = spec.get(key) if isinstance(spec, Mapping) else None
    return spec


def _warnings(manifest: Manifest) -> Iterator[Finding]:
    spec = manifest.get("spec")
    for field, warn in _WARNINGS:
        said = warn(spec)
        if said:
            yield Finding("warning", f"spec.{field}", said)


def _replicas(spec: Any) -> str:
    if _at(spec, "replicas") is None:
        return ""
    return "every apply of this manifest undoes kubectl scale and autoscalers; leave it out"


def _given(field: str) -> Callable[[Any], str]:
    return lambda spec: f"{_AGAIN}; leave it out" if _at(spec, field) is not None else ""


def _decision(spec: Any) -> str:
    if _at(spec, "rollout.decision") is None:
        return ""
    return "a decision is an act on one rollout: make it with kubectl patch, not in a manifest"


def _image(spec: Any) -> str:
    image = _at(spec, "image")
    if not isinstance(image, str) or "@" in image or image.startswith("process://"):
        return ""
    _, colon, tag = image.rpartition("/")[2].partition(":")
    if colon and tag != "latest":
        return ""
    what = "the tag latest" if colon else "neither a tag nor a digest"
    return f"the image has {what}: what runs may change without a new revision"


def _requests(spec: Any) -> str:
    asked = [_at(spec, f"resources.{kind}") or {} for kind in ("requests", "limits")]
    missing = [name for name in ("cpu", "memory") if not any(name in found for found in asked)]
    if not missing:
        return ""
    return f"no request for {' and '.join(missing)}: the pods are the first to be short of it"


def _tee(spec: Any) -> str:
    kind = _at(spec, "hardwareRequirements.teeType")
    if not kind or _at(spec, "hardwareRequirements.teeRequired"):
        return ""
    if kind not in TEE_TYPES:
        return f"{kind} is none of {', '.join(TEE_TYPES)}: it has no effect"
    return "without teeRequired it is a preference only: the pods may run on nodes without it"


def _blue_green(spec: Any) -> str:
    if _at(spec, "strategy.type") != "BlueGreen":
        return ""
    if _at(spec, "strategy.blueGreen.autoPromoteAfterSeconds") is not None:
        return ""
    return "autoPromoteAfterSeconds is not set: a new revision is promoted only by hand"


def _port(spec: Any) -> str:
    told = _at(spec, "config.environment.GRPC_PORT")
    port = _at(spec, "config.grpcPort") or DEFAULT_GRPC_PORT
    if told is None or str(told) == str(port):
        return ""
    return f"GRPC_PORT says {told}, and the Service and the probes use grpcPort {port}"


def _twice(spec: Any) -> str:
    plain, referred = _at(spec, "config.environment"), _at(spec, "config.environmentFrom")
    names = [_at(one, "name") for one in referred] if isinstance(referred, list) else []
    before: list[Any] = list(plain) if isinstance(plain, Mapping) else []
    twice = sorted({str(n) for i, n in enumerate(names) if n in before or n in names[:i]})
    return f"given twice, the last counts: {', '.join(twice)}" if twice else ""


_WARNINGS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("replicas", _replicas),
    ("suspend", _given("suspend")),
    ("fence", _given("fence")),
    ("rollout.decision", _decision),
    ("image", _image),
    ("resources.requests", _requests),
    ("hardwareRequirements.teeType", _tee),
    ("strategy.blueGreen", _blue_green),
    ("config.environment.GRPC_PORT", _port),
    ("config.environmentFrom", _twice),
)
