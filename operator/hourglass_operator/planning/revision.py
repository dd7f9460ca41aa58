"""One revision, read: its ReplicaSet, its instances, and what was noted on them. Pure.

What has to survive a restart is noted as annotations of the ReplicaSet: the number of its
promotion (the highest one is in service), and why it is not promoted by itself.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.performer import GROUP
from hourglass_common.kube.objects import (
    annotations,
    condition,
    is_pod_ready,
    is_terminating,
    labels,
)

from .naming import REVISION_LABEL, SERVING, SERVING_LABEL

Manifest = Mapping[str, Any]

PROMOTION = f"{GROUP}/promotion"
PROMOTED_AT = f"{GROUP}/promoted-at"
PROMOTED_BY = f"{GROUP}/promoted-by"
PROMOTED_FROM = f"{GROUP}/promoted-from"
PROMOTED_FOR = f"{GROUP}/promoted-for"
"""What the promotion was: Promote or Rollback."""
STARTED_AT = f"{GROUP}/started-at"
STAGED_AT = f"{GROUP}/staged-at"
DRAINED_AT = f"{GROUP}/drained-at"
APPROVED_BY = f"{GROUP}/approved-by"
REJECTED = f"{GROUP}/rejected"
REJECTED_BY = f"{GROUP}/rejected-by"
REJECTED_AT = f"{GROUP}/rejected-at"
REJECTED_FOR = f"{GROUP}/rejected-for"
"""The revision that serves instead."""
GATE = f"{GROUP}/gate"
SWITCHED_AT = f"{GROUP}/switched-at"
"""On the Service: when it began to select the revision that it selects."""
DRAINING_SINCE = f"{GROUP}/draining-since"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

ANNOTATIONS = frozenset(
    {
        PROMOTION,
        PROMOTED_AT,
        PROMOTED_BY,
        PROMOTED_FROM,
        PROMOTED_FOR,
        STARTED_AT,
        STAGED_AT,
        DRAINED_AT,
        APPROVED_BY,
        REJECTED,
        REJECTED_BY,
        REJECTED_AT,
        REJECTED_FOR,
        GATE,
        SWITCHED_AT,
        DRAINING_SINCE,
        DELETION_COST,
    }
)
"""All that a plan reads of annotations: caches need keep no others."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One pod that is not on its way out."""

    name: str
    uid: str
    resource_version: str
    ready: bool
    serving: bool
    draining_since: str
    created_at: str
    ready_since: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """How the gate with configuration ``digest`` ended last: Passed, Failed, or Retry."""

    digest: str
    state: str
    tries: int
    message: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet with its instances; ``wanted`` is what its spec asks for.

    ``left`` counts its pods, those on their way out as well.
    """

    name: str
    hash: str
    uid: str
    resource_version: str
    created_at: str
    image: str
    wanted: int
    left: int
    instances: tuple[Instance, ...]
    notes: Mapping[str, str]
    failure: str = ""

    @property
    def existing(self) -> int:
        return len(self.instances)

    @property
    def ready(self) -> int:
        """Instances that are ready, whether they take tasks or drain."""
        return sum(1 for instance in self.instances if instance.ready)

    @property
    def available(self) -> int:
        """Instances that are ready and not taken out."""
        return sum(1 for instance in self.instances if instance.ready and instance.serving)

    @property
    def gone(self) -> bool:
        return self.wanted == 0 and self.left == 0

    @property
    def promotion(self) -> int:
        """The number of its last promotion, 0 if it never was."""
        text = self.notes.get(PROMOTION, "")
        return int(text) if text.isdecimal() else 0

    @property
    def rejected(self) -> str:
        return self.notes.get(REJECTED, "")

    @property
    def started_at(self) -> str:
        return self.notes.get(STARTED_AT) or self.created_at

    @property
    def gate(self) -> GateResult | None:
        try:
            found = json.loads(self.notes.get(GATE, ""))
            return GateResult(
                str(found["digest"]), str(found["state"]), int(found["tries"]), found["message"]
            )
        except (ValueError, KeyError, TypeError):
            return None


def gate_note(result: GateResult) -> str:
    """Return the annotation that ``Revision.gate`` reads."""
    found = {
        "digest": result.digest,
        "state": result.state,
        "tries": result.tries,
        "message": result.message[:512],
    }
    return json.dumps(found, separators=(",", ":"))


def read_revisions(
    replica_sets: Iterable[Manifest], pods: Iterable[Manifest]
) -> tuple[Revision, ...]:
    """Return the revisions of ReplicaSets that stay, each with the pods that it controls."""
    of_set: dict[str, list[Manifest]] = {}
    for pod in pods:
        of_set.setdefault(labels(pod).get(REVISION_LABEL, ""), []).append(pod)
    return tuple(
        _revision(found, of_set.get(labels(found).get(REVISION_LABEL, ""), []))
        for found in replica_sets
        if not is_terminating(found)
    )


def in_service(revisions: Iterable[Revision]) -> Revision | None:
    """Return the revision that was promoted last, None before the first."""
    promoted = [revision for revision in revisions if revision.promotion]
    return max(promoted, key=lambda r: (r.promotion, r.created_at, r.name), default=None)


def newest_first(revisions: Iterable[Revision], current: str) -> list[Revision]:
    """Return them by age; of those of one second, ``current`` is the newest."""
    order = sorted(revisions, key=lambda r: r.name)
    order.sort(key=lambda r: (r.created_at, r.hash == current, r.promotion), reverse=True)
    return order


def before(revisions: Iterable[Revision], than: Revision | None) -> Revision | None:
    """Return the revision that served before ``than``, None if none is kept."""
    others = [r for r in revisions if than is None or r.hash != than.hash]
    return in_service(others)


def _revision(manifest: Manifest, pods: list[Manifest]) -> Revision:
    meta, spec = manifest["metadata"], manifest.get("spec") or {}
    status = manifest.get("status") or {}
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or [{}]
    failure = next(
        (
            str(found.get("message", ""))
            for found in status.get("conditions") or ()
            if found.get("type") == "ReplicaFailure" and found.get("status") == "True"
        ),
        "",
    )
    living = sorted(
        (pod for pod in pods if not is_terminating(pod)), key=lambda pod: pod["metadata"]["name"]
    )
    return Revision(
        name=meta["name"],
        hash=labels(manifest).get(REVISION_LABEL, ""),
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        created_at=meta.get("creationTimestamp", ""),
        image=str(containers[0].get("image", "")),
        wanted=int(spec.get("replicas", 1)),
        left=max(len(pods), int(status.get("replicas", 0))),
        instances=tuple(map(_instance, living)),
        notes=annotations(manifest),
        failure=failure,
    )


def _instance(pod: Manifest) -> Instance:
    meta = pod["metadata"]
    return Instance(
        name=meta["name"],
        uid=meta.get("uid", ""),
        resource_version=meta.get("resourceVersion", ""),
        ready=is_pod_ready(pod),
        serving=labels(pod).get(SERVING_LABEL) == SERVING,
        draining_since=annotations(pod).get(DRAINING_SINCE, ""),
        created_at=meta.get("creationTimestamp", ""),
        ready_since=str((condition(pod, "Ready") or {}).get("lastTransitionTime") or ""),
    )
