"""Decide what one Performer needs: observed state in, actions out. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from hourglass_common.kube.objects import condition, is_terminating

from . import manifests
from .actions import Action, Apply, Delete, Patch, Plan, Report, WriteStatus
from .naming import REVISION_LABEL, replica_set_name, revision_of
from .observed import Observed, Revision, revision_of_replica_set
from .reasons import WARNING, Reason
from .rollout import plan_sizes
from .status import judge, status_of
from .trouble import Trouble

Manifest = Mapping[str, Any]

NAME_RECHECK_SECONDS = 30.0
"""No watch may tell when somebody else's object goes: the caches hold what looks like ours."""


def plan(seen: Observed, refused: Trouble | None = None) -> Plan:
    """Return the actions that bring the cluster nearer to the Performer's spec.

    ``refused`` is what the API said of the last attempt, if it refused it for good.
    """
    performer = seen.performer
    if performer.deleting:
        return Plan()  # owner references take everything away
    current = revision_of(performer.spec)
    revisions = [
        revision_of_replica_set(found, REVISION_LABEL)
        for found in seen.replica_sets
        if not is_terminating(found)
    ]
    taken = _name_taken(seen)
    blocked = taken or refused
    actions: list[Action] = []
    if blocked is None:
        actions += _service_actions(seen)
        actions += _revision_actions(seen, current, revisions)
    situation = judge(performer, current, revisions, seen.pods, blocked=blocked, now=seen.now)
    status = status_of(situation)
    if status != performer.status:
        actions.append(WriteStatus(status))
        actions += _reports(performer.status, status)
    return Plan(tuple(actions), NAME_RECHECK_SECONDS if taken else situation.recheck_after)


def _name_taken(seen: Observed) -> Trouble | None:
    """Return whose object is in the way: a stranger's before one that is about to go."""
    for found in sorted(seen.foreign, key=lambda f: _is_leaving(f, seen.performer.name)):
        what = f"{found.get('kind', 'object')} {found['metadata']['name']}"
        if _is_leaving(found, seen.performer.name):
            return Trouble(Reason.NAME_LEAVING, f"{what} of a deleted object has to go first")
        hint = "delete it, or name the performer otherwise"
        return Trouble(Reason.NAME_TAKEN, f"{what} exists and belongs to somebody else; {hint}")
    return None


def _is_leaving(foreign: Manifest, performer: str) -> bool:
    """Return whether the object goes by itself: a deleted performer of the same name had it."""
    owners = foreign["metadata"].get("ownerReferences") or ()
    return is_terminating(foreign) or any(
        owner.get("kind") == "Performer" and owner.get("name") == performer for owner in owners
    )


def _service_actions(seen: Observed) -> list[Action]:
    wanted = manifests.service(seen.performer)
    if seen.service is None:
        return [Apply(wanted)]
    if is_terminating(seen.service):
        return []
    change = _service_change(seen.service, wanted)
    if not change:
        return []
    meta = seen.service["metadata"]
    because = "Service differs in " + ", ".join(sorted(change.get("spec", change)))
    return [Patch("Service", meta["name"], meta["uid"], meta["resourceVersion"], change, because)]


def _service_change(found: Manifest, wanted: Manifest) -> dict[str, Any]:
    """Return the merge patch that repairs the Service; what we do not own is left alone."""
    change: dict[str, Any] = {}
    spec: dict[str, Any] = {}
    ports = [
        {key: port.get(key) for key in ("name", "protocol", "port", "targetPort")}
        for port in found["spec"].get("ports") or ()
    ]
    if ports != wanted["spec"]["ports"]:
        spec["ports"] = wanted["spec"]["ports"]
    selected = found["spec"].get("selector") or {}
    if selected != wanted["spec"]["selector"]:
        extra = {key: None for key in selected if key not in wanted["spec"]["selector"]}
        spec["selector"] = {**wanted["spec"]["selector"], **extra}
    if spec:
        change["spec"] = spec
    worn = found["metadata"].get("labels") or {}
    missing = {k: v for k, v in wanted["metadata"]["labels"].items() if worn.get(k) != v}
    if missing:
        change["metadata"] = {"labels": missing}
    return change


def _revision_actions(seen: Observed, current: str, revisions: list[Revision]) -> list[Action]:
    sizes = plan_sizes(revisions, current, seen.performer.spec.replicas)
    actions: list[Action] = []
    name = replica_set_name(seen.performer.name, current)
    leaving = any(found["metadata"]["name"] == name for found in seen.replica_sets)
    if sizes.create is not None and not leaving:
        actions.append(Apply(manifests.replica_set(seen.performer, current, sizes.create)))
    for revision in revisions:
        replicas = sizes.existing.get(revision.name, revision.wanted)
        if replicas != revision.wanted:
            actions.append(
                Patch(
                    "ReplicaSet",
                    revision.name,
                    revision.uid,
                    revision.resource_version,
                    {"spec": {"replicas": replicas}},
                    f"replicas {revision.wanted} -> {replicas}",
                )
            )
    actions.extend(
        Delete("ReplicaSet", old.name, old.uid, old.resource_version) for old in sizes.forget
    )
    return actions


def _reports(before: Manifest, after: Manifest) -> list[Action]:
    """Return an event for each change of Ready's status or reason."""
    old = condition({"status": before}, "Ready") or {}
    new = condition({"status": after}, "Ready") or {}
    if (old.get("status"), old.get("reason")) == (new.get("status"), new.get("reason")):
        return []
    warning = new.get("reason") in {reason.value for reason in WARNING}
    bad = warning and new.get("status") != "True"
    kind: Literal["Normal", "Warning"] = "Warning" if bad else "Normal"
    return [Report(kind, str(new.get("reason")), str(new.get("message")))]
