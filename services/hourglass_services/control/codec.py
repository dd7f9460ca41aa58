"""PerformerControl's messages and Performer manifests, into each other.

The spec's JSON form is the custom resource's, so protobuf's own JSON mapping does the work;
what is handled here is where the two JSON dialects differ.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError, invalid
from hourglass_common.kube.resources import PERFORMERS

from .port import EventKind, Manifest, PerformerView, WatchEvent

_ROLES = {
    Role.STAGED: control_pb2.ROLE_STAGED,
    Role.IN_SERVICE: control_pb2.ROLE_IN_SERVICE,
    Role.DRAINING: control_pb2.ROLE_DRAINING,
    Role.RETIRED: control_pb2.ROLE_RETIRED,
}
_ROLES_BACK = {number: role for role, number in _ROLES.items()}
_KINDS = {
    kind: control_pb2.WatchPerformersResponse.Type.Value(f"TYPE_{kind.value}") for kind in EventKind
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}


_FREE_JSON = (
    ("scheduling", "affinity"),
    ("network", "ingressFrom"),
    ("network", "egress"),
    ("strategy", "rollingUpdate"),
)


def spec_to_json(spec: control_pb2.PerformerSpec) -> dict[str, Any]:
    """Return the custom resource's spec; what the message leaves unset is left out."""
    found: dict[str, Any] = json_format.MessageToDict(spec)
    for holder, key in _FREE_JSON:
        if key in found.get(holder, {}):
            found[holder][key] = _whole_numbers(found[holder][key])
    for toleration in found.get("scheduling", {}).get("tolerations", ()):
        if "tolerationSeconds" in toleration:  # protobuf's JSON writes 64-bit numbers as text
            toleration["tolerationSeconds"] = int(toleration["tolerationSeconds"])
    return found


def spec_from_json(spec: Manifest) -> control_pb2.PerformerSpec:
    """Return the message for a custom resource's spec; keys it does not know are left out."""
    message = control_pb2.PerformerSpec()
    _parse(_with_text_quantities(spec), message)
    return message


def spec_of_request(spec: Manifest) -> control_pb2.PerformerSpec:
    """Return the message for a spec that is to be created. INVALID_ARGUMENT for a key that it
    does not know, and for a value of another type."""
    message = control_pb2.PerformerSpec()
    try:
        json_format.ParseDict(dict(_with_text_quantities(spec)), message)
    except json_format.ParseError as exc:
        raise invalid("spec", str(exc)) from exc
    return message


def performer_to_proto(view: PerformerView) -> control_pb2.Performer:
    meta = view.manifest["metadata"]
    message = control_pb2.Performer(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        etag=meta.get("resourceVersion", ""),
        generation=int(meta.get("generation", 0)),
        labels=meta.get("labels") or {},
        spec=spec_from_json(view.manifest.get("spec") or {}),
        endpoints=[_endpoint_to_proto(endpoint) for endpoint in view.endpoints],
    )
    _parse(view.manifest.get("status") or {}, message.status)
    if meta.get("creationTimestamp"):
        message.create_time.FromJsonString(meta["creationTimestamp"])
    if meta.get("deletionTimestamp"):
        message.delete_time.FromJsonString(meta["deletionTimestamp"])
    return message


def performer_from_proto(message: control_pb2.Performer) -> PerformerView:
    """Return the manifest as far as the message tells it."""
    meta: dict[str, Any] = {
        "namespace": message.namespace,
        "name": message.name,
        "uid": message.uid,
        "resourceVersion": message.etag,
        "generation": message.generation,
        "labels": dict(message.labels),
        "creationTimestamp": _time(message, "create_time"),
    }
    if message.HasField("delete_time"):
        meta["deletionTimestamp"] = _time(message, "delete_time")
    status: dict[str, Any] = json_format.MessageToDict(message.status)
    for holder in (status, *status.get("conditions", ())):
        if "observedGeneration" in holder:  # protobuf's JSON writes 64-bit numbers as text
            holder["observedGeneration"] = int(holder["observedGeneration"])
    manifest = {
        "apiVersion": PERFORMERS.api_version,
        "kind": PERFORMERS.kind,
        "metadata": meta,
        "spec": spec_to_json(message.spec),
        "status": status,
    }
    uid = f"{message.namespace}/{message.name}"
    return PerformerView(manifest, tuple(_endpoint_from_proto(uid, e) for e in message.endpoints))


def event_to_proto(event: WatchEvent) -> control_pb2.WatchPerformersResponse:
    return control_pb2.WatchPerformersResponse(
        type=_KINDS[event.kind],
        performer=performer_to_proto(event.performer) if event.performer else None,
        resume_token=event.resume_token,
    )


def event_from_proto(message: control_pb2.WatchPerformersResponse) -> WatchEvent | None:
    """Return the event, None for a kind that this client is too old to know."""
    kind = _KINDS_BACK.get(message.type)
    if kind is None:
        return None
    view = performer_from_proto(message.performer) if message.HasField("performer") else None
    return WatchEvent(kind, view, message.resume_token)


def _endpoint_to_proto(endpoint: Endpoint) -> control_pb2.Endpoint:
    return control_pb2.Endpoint(
        instance=endpoint.instance,
        address=endpoint.address,
        revision=endpoint.revision,
        role=_ROLES[endpoint.role],
        ready=endpoint.ready,
    )


def _endpoint_from_proto(performer_id: str, message: control_pb2.Endpoint) -> Endpoint:
    return Endpoint(
        performer_id=performer_id,
        revision=message.revision,
        instance=message.instance,
        address=message.address,
        role=_ROLES_BACK.get(message.role, Role.RETIRED),  # unknown to us: no tasks for it
        ready=message.ready,
    )


def _parse(value: Manifest, message: Message) -> None:
    try:
        json_format.ParseDict(dict(value), message, ignore_unknown_fields=True)
    except json_format.ParseError as exc:
        raise HourglassError(
            Code.DATA_LOSS, f"the object can not be shown: {exc}", reason="UNREADABLE_OBJECT"
        ) from exc


def _time(message: control_pb2.Performer, name: str) -> str:
    moment: datetime = getattr(message, name).ToDatetime()
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _with_text_quantities(spec: Manifest) -> Manifest:
    resources = spec.get("resources")
    if not isinstance(resources, Mapping):
        return spec
    return {**spec, "resources": {**resources, **_text_quantities(resources)}}


def _text_quantities(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {name: str(quantity) for name, quantity in resources[kind].items()}
        for kind in ("requests", "limits")
        if isinstance(resources.get(kind), Mapping)
    }


def _whole_numbers(value: Any) -> Any:
    """Struct knows only doubles; Kubernetes wants its integers without a point."""
    if isinstance(value, dict):
        return {key: _whole_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
