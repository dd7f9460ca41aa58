"""PerformerControl's messages and Performer manifests, into each other.

The spec's JSON form is the custom resource's, so protobuf's own JSON mapping does the work;
what is handled here is where the two JSON dialects differ.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.errors import Code, HourglassError, invalid
from hourglass_common.kube.resources import PERFORMERS

from .from_json import parse
from .port import (
    EventKind,
    Explanation,
    InstanceSteps,
    LogLine,
    Manifest,
    PerformerView,
    RevisionView,
    Step,
    StepState,
    WatchEvent,
)

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
_STATES = {state: control_pb2.Step.State.Value(f"STATE_{state.value}") for state in StepState}
_STATES_BACK = {number: state for state, number in _STATES.items()}


_FREE_JSON = (
    ("scheduling", "affinity"),
    ("network", "ingressFrom"),
    ("network", "egress"),
    ("strategy", "rollingUpdate"),
)


def spec_to_json(spec: control_pb2.PerformerSpec) -> dict[str, Any]:
    """Return the custom resource's spec; what the message leaves unset is left out.

    INVALID_ARGUMENT for what JSON has no form for.
    """
    try:
        found: dict[str, Any] = json_format.MessageToDict(spec)
    except json_format.SerializeToJsonError as exc:  # NaN and infinity, in free-form values
        raise invalid("spec", str(exc)) from exc
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
    _set_time(message.create_time, meta.get("creationTimestamp", ""))
    _set_time(message.delete_time, meta.get("deletionTimestamp", ""))
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


def event_kind(kind: EventKind) -> int:
    """Return the number of a kind of event."""
    return _KINDS[kind]


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


def explanation_to_proto(found: Explanation) -> control_pb2.ExplainPerformerResponse:
    return control_pb2.ExplainPerformerResponse(
        serving=found.serving,
        summary=found.summary,
        revision=found.revision,
        steps=map(_step_to_proto, found.steps),
        instances=[
            control_pb2.InstanceSteps(
                instance=each.instance,
                revision=each.revision,
                role=_ROLES[each.role],
                serving=each.serving,
                steps=map(_step_to_proto, each.steps),
            )
            for each in found.instances
        ],
    )


def explanation_from_proto(message: control_pb2.ExplainPerformerResponse) -> Explanation:
    instances = tuple(
        InstanceSteps(
            each.instance,
            each.revision,
            _ROLES_BACK.get(each.role, Role.RETIRED),
            each.serving,
            tuple(map(_step_from_proto, each.steps)),
        )
        for each in message.instances
    )
    steps = tuple(map(_step_from_proto, message.steps))
    return Explanation(message.serving, message.summary, message.revision, steps, instances)


def revision_to_proto(found: RevisionView) -> control_pb2.Revision:
    message = control_pb2.Revision(
        hash=found.hash,
        role=_ROLES[found.role],
        image=found.image,
        replicas=found.replicas,
        ready_replicas=found.ready_replicas,
        promoted_by=found.promoted_by,
        rejected=found.rejected,
        rejected_by=found.rejected_by,
        gate=found.gate,
        replica_set=found.replica_set,
        endpoints=map(_endpoint_to_proto, found.endpoints),
    )
    _set_time(message.create_time, found.created)
    _set_time(message.in_service_since, found.in_service_since)
    return message


def revision_from_proto(performer_id: str, message: control_pb2.Revision) -> RevisionView:
    return RevisionView(
        hash=message.hash,
        role=_ROLES_BACK.get(message.role, Role.RETIRED),
        image=message.image,
        replicas=message.replicas,
        ready_replicas=message.ready_replicas,
        created=_time(message, "create_time"),
        in_service_since=_time(message, "in_service_since"),
        promoted_by=message.promoted_by,
        rejected=message.rejected,
        rejected_by=message.rejected_by,
        gate=message.gate,
        replica_set=message.replica_set,
        endpoints=tuple(_endpoint_from_proto(performer_id, e) for e in message.endpoints),
    )


def line_to_proto(line: LogLine) -> control_pb2.GetLogsResponse:
    message = control_pb2.GetLogsResponse(
        instance=line.instance, revision=line.revision, line=line.line
    )
    _set_time(message.time, line.time)
    return message


def line_from_proto(message: control_pb2.GetLogsResponse) -> LogLine:
    time = message.time.ToJsonString() if message.HasField("time") else ""
    return LogLine(message.instance, message.revision, time, message.line)


def _step_to_proto(step: Step) -> control_pb2.Step:
    return control_pb2.Step(
        name=step.name,
        state=_STATES[step.state],
        reason=step.reason,
        message=step.message,
        hint=step.hint,
    )


def _step_from_proto(message: control_pb2.Step) -> Step:
    state = _STATES_BACK.get(message.state, StepState.SKIPPED)
    return Step(message.name, state, message.reason, message.message, message.hint)


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
        parse(value, message)
    except json_format.ParseError as exc:
        raise HourglassError(
            Code.DATA_LOSS, f"the object can not be shown: {exc}", reason="UNREADABLE_OBJECT"
        ) from exc


def _set_time(message: Timestamp, text: str) -> None:
    """Set an RFC 3339 time; one that can not be read, or "", stays unset."""
    if text:
        with suppress(ValueError):
            message.FromJsonString(text)


def _time(message: Message, name: str) -> str:
    """Return a time to the second, "" where it is unset."""
    if not message.HasField(name):
        return ""
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


_EXACT = 2.0**53
"""Doubles from here on stand for more than one integer, and may be too long for any."""


def _whole_numbers(value: Any) -> Any:
    """Struct knows only doubles; Kubernetes wants its integers without a point."""
    if isinstance(value, dict):
        return {key: _whole_numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(one) for one in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
