"""What the caches keep of each kind: no more than planning, naming and PerformerControl read. Pure.

A thousand performers are five thousand objects; whole, they would take ten times the memory. Who
reads a field that is not kept here finds it missing: add it here first.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import Any

import orjson
from hourglass_common.domain.drain_report import DRAIN_ANNOTATION
from hourglass_common.kube.objects import GRPC_PORT_NAME, PORT_ANNOTATION, SERVICE_NAME, is_over
from hourglass_common.kube.resources import Manifest

from hourglass_operator.planning.naming import (
    PERFORMER_LABEL,
    REVISION_LABEL,
    SERVING_LABEL,
    performer_of_service,
)
from hourglass_operator.planning.revision import ANNOTATIONS

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LABELS = (PERFORMER_LABEL, REVISION_LABEL, SERVING_LABEL)
_META = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
_OWNER = ("kind", "name", "uid", "controller")
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_POD_ANNOTATIONS = ANNOTATIONS | {PORT_ANNOTATION}
_ACTS = ("f:replicas", "f:suspend", "f:fence")
"""With the decision, what ``planning.intent.who_set`` is asked about."""


def performer(manifest: Manifest) -> Manifest:
    """Keep spec and status whole, and of the ownership only whose acts a receipt may name."""
    found = manifest["metadata"]
    meta = {**_meta(found), **_pick(found, ("generation", "creationTimestamp"))}
    if found.get("labels"):
        meta["labels"] = found["labels"]
    notes = {k: v for k, v in (found.get("annotations") or {}).items() if k != _LAST_APPLIED}
    if notes:
        meta["annotations"] = notes
    acts = [act for act in map(_act, found.get("managedFields") or ()) if act]
    if acts:
        meta["managedFields"] = acts
    kept = {"metadata": meta, **_pick(manifest, ("spec",))}
    if "status" in manifest:
        status = manifest["status"] or {}
        kept["status"] = {**status, **_interned_conditions(status)}
    return kept


def replica_set(manifest: Manifest) -> Manifest:
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    failure = _conditions(status, {"ReplicaFailure": "True"})
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    image = [{"image": intern(str(each.get("image", "")))} for each in containers[:1]]
    return {
        "metadata": _child(manifest["metadata"], ANNOTATIONS),
        "spec": {**_pick(spec, ("replicas",)), "template": {"spec": {"containers": image}}},
        "status": {**_pick(status, ("replicas",)), **failure},
    }


def pod(manifest: Manifest) -> Manifest:
    """Keep what makes it usable or tells why it is not, and where it takes calls.

    On its way up it changes six times.
    """
    status = manifest.get("status") or {}
    containers = [_container(each) for each in status.get("containerStatuses") or ()]
    found = _conditions(status, {"Ready": "", "PodScheduled": "False"})
    if any(len(container) > 1 for container in containers):
        found["containerStatuses"] = containers
    found |= _pick(status, ("podIP", "phase") if is_over(manifest) else ("podIP",))
    return {
        "metadata": _child(manifest["metadata"], _POD_ANNOTATIONS),
        "spec": _grpc_port(manifest.get("spec") or {}),
        "status": found,
    }


def service(manifest: Manifest) -> Manifest:
    """Keep the ports and the selector; of a Service that no performer can have, its name alone."""
    spec = manifest.get("spec") or {}
    if not performer_of_service(manifest["metadata"]["name"]):
        return {"metadata": _meta(manifest["metadata"]), "spec": {}}
    ports = [_pick(p, ("name", "protocol", "port", "targetPort")) for p in spec.get("ports") or ()]
    return {
        "metadata": _neighbour(manifest["metadata"]),
        "spec": {"ports": ports, **_pick(spec, ("selector",))},
    }


def neighbour(manifest: Manifest) -> Manifest:
    """A NetworkPolicy or a PodDisruptionBudget: what is wanted of it, not what became of it."""
    spec = {
        key: part if key.endswith("elector") else _shared(orjson.dumps(part))
        for key, part in (manifest.get("spec") or {}).items()
    }
    return {"metadata": _neighbour(manifest["metadata"]), "spec": spec}


def drain_lease(manifest: Manifest) -> Manifest:
    spec = _pick(
        manifest.get("spec") or {}, ("holderIdentity", "leaseDurationSeconds", "renewTime")
    )
    return {"metadata": _child(manifest["metadata"], frozenset({DRAIN_ANNOTATION})), "spec": spec}


def endpoint_slice(manifest: Manifest) -> Manifest:
    """Keep addresses and ports; of a slice that no performer can have, its name alone."""
    meta = manifest["metadata"]
    if not performer_of_service((meta.get("labels") or {}).get(SERVICE_NAME, "")):
        return {"metadata": _meta(meta)}
    endpoints = [
        {
            "addresses": (each.get("addresses") or ())[:1],
            "conditions": each.get("conditions") or {},
            "targetRef": _pick(each.get("targetRef") or {}, ("name",)),
        }
        for each in manifest.get("endpoints") or ()
    ]
    ports = [_pick(port, ("name", "port")) for port in manifest.get("ports") or ()]
    kept = {**_meta(meta), "labels": _interned(meta["labels"], (PERFORMER_LABEL, SERVICE_NAME))}
    return {"metadata": kept, "endpoints": endpoints, "ports": ports}


def is_same(before: Manifest, after: Manifest) -> bool:
    """Return whether two slim objects say the same in two versions: no plan need look again.

    No plan reads a pod's address.
    """
    old, new = before["metadata"], after["metadata"]
    return (
        {**old, "resourceVersion": ""} == {**new, "resourceVersion": ""}
        and {**before, "metadata": None, "status": None}
        == {**after, "metadata": None, "status": None}
        and {**(before.get("status") or {}), "podIP": ""}
        == {**(after.get("status") or {}), "podIP": ""}
    )


@lru_cache(maxsize=256)
def _shared(text: bytes) -> Any:
    """Return what ``text`` holds, the same object for the same text: most rules are alike."""
    return orjson.loads(text)


@lru_cache(maxsize=256)
def _container_with(port: int) -> Mapping[str, Any]:
    """Return the spec of every pod that takes calls on this port."""
    return {"containers": [{"ports": [{"name": GRPC_PORT_NAME, "containerPort": port}]}]}


def _grpc_port(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep of a pod's spec the port that takes calls."""
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == GRPC_PORT_NAME:
                return _container_with(int(port["containerPort"]))
    return {}


def _pick(source: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: source[key] for key in keys if key in source}


def _interned(source: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Pick, with one string in memory for all that are equal: names and words come many times."""
    return {
        key: intern(value) if type(value := source[key]) is str else value
        for key in keys
        if key in source
    }


def _meta(found: Mapping[str, Any]) -> dict[str, Any]:
    return _interned(found, _META)


def _owned(found: Mapping[str, Any]) -> dict[str, Any]:
    owners = [_interned(owner, _OWNER) for owner in found.get("ownerReferences") or ()]
    return {**_meta(found), **({"ownerReferences": owners} if owners else {})}


def _child(found: Mapping[str, Any], annotations: frozenset[str]) -> dict[str, Any]:
    """The metadata of what is never repaired: labels and annotations that have a meaning."""
    meta = {**_owned(found), **_pick(found, ("creationTimestamp",))}
    worn = found.get("labels") or {}
    meta["labels"] = _interned(worn, _LABELS)
    notes = found.get("annotations") or {}
    kept = {key: notes[key] for key in annotations if key in notes} if notes else {}
    return {**meta, "annotations": kept} if kept else meta


def _neighbour(found: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of what is repaired: all of its labels."""
    worn = found.get("labels") or {}
    notes = _pick(found.get("annotations") or {}, ANNOTATIONS)
    meta = {**_owned(found), "labels": _interned(worn, worn)}
    return {**meta, "annotations": notes} if notes else meta


def _conditions(status: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, Any]:
    """Keep the conditions of these types, each only in the status named ("" is any)."""
    found = [
        _interned(each, _CONDITION)
        for each in status.get("conditions") or ()
        if wanted.get(each.get("type"), "no") in ("", each.get("status"))
    ]
    return {"conditions": found} if found else {}


def _interned_conditions(status: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions of a performer: most say the same sentence."""
    found = status.get("conditions")
    return {"conditions": [_interned(each, each) for each in found]} if found else {}


def _container(status: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong with a container: one that runs has a name and nothing more."""
    found = _pick(status, ("name",))
    waiting = (status.get("state") or {}).get("waiting")
    if waiting:
        found["state"] = {"waiting": waiting}
        ended = (status.get("lastState") or {}).get("terminated")
        if ended:
            found["lastState"] = {"terminated": _pick(ended, ("exitCode",))}
        found |= _pick(status, ("restartCount",))
    return found


def _act(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a managedFields entry without the fields that no receipt speaks of."""
    spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    kept: dict[str, Any] = {key: {} for key in _ACTS if key in spec}
    if "f:decision" in (spec.get("f:rollout") or {}):
        kept["f:rollout"] = {"f:decision": {}}
    if not kept:
        return None
    return {**_pick(entry, ("manager", "time")), "fieldsV1": {"f:spec": kept}}
