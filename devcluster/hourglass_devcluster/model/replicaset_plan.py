"""What a ReplicaSet lacks or has too many of, and what its status says. Pure.

Pods are named after the ReplicaSet's uid and a counter, so that a plan made twice from a cache
that lags asks for the same names, and the second creation is refused instead of doubled.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """Pods to create by name, pods to delete, and the status without its conditions."""

    create: tuple[str, ...]
    delete: tuple[Manifest, ...]
    status: dict[str, Any]


def plan_replicas(replica_set: Manifest, pods: Sequence[Manifest]) -> ReplicaPlan:
    """Return what brings ``pods``, all that the set controls, to the number it wants."""
    wanted = int(replica_set["spec"].get("replicas", 1))
    living = [pod for pod in pods if is_active(pod)]
    names = {pod["metadata"]["name"] for pod in pods}
    missing = wanted - len(living)
    create: list[str] = []
    for name in _names(replica_set):
        if len(create) >= missing:
            break
        if name not in names:
            create.append(name)
    surplus = sorted(living, key=_worth)[: max(0, -missing)]
    ready = [pod for pod in living if is_ready(pod)]
    status = {
        "replicas": len(living),
        "fullyLabeledReplicas": len(living),
        "readyReplicas": len(ready),
        "availableReplicas": len(ready),
        "observedGeneration": int(replica_set["metadata"].get("generation", 0)),
    }
    return ReplicaPlan(tuple(create), tuple(surplus), status)


def pod_of(replica_set: Manifest, name: str, node: str) -> dict[str, Any]:
    """Return the pod that the set's template makes, already placed on ``node``."""
    meta = replica_set["metadata"]
    template = replica_set["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": dict(template["metadata"].get("labels") or {}),
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {**template["spec"], "nodeName": node},
    }


def is_active(pod: Manifest) -> bool:
    """Return whether a pod counts: not on its way out, and not over."""
    phase = (pod.get("status") or {}).get("phase")
    return "deletionTimestamp" not in pod["metadata"] and phase not in ("Succeeded", "Failed")


def is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _names(replica_set: Manifest) -> Iterator[str]:
    meta = replica_set["metadata"]
    counter = 0
    while True:
        digest = hashlib.sha256(f"{meta['uid']}/{counter}".encode()).hexdigest()
        yield f"{meta['name']}-{digest[:5]}"
        counter += 1


def _worth(pod: Manifest) -> tuple[int, int, int, str]:
    """Return the order in which pods are given up: as the ReplicaSet controller's."""
    annotations = pod["metadata"].get("annotations") or {}
    try:
        cost = int(annotations.get(DELETION_COST, "0"))
    except ValueError:
        cost = 0
    pending = (pod.get("status") or {}).get("phase", "Pending") == "Pending"
    # Among equals the younger goes first: the timestamp's characters are inverted.
    created = str(pod["metadata"].get("creationTimestamp", ""))
    younger = "".join(chr(255 - min(ord(c), 255)) for c in created)
    return (0 if pending else 1, 1 if is_ready(pod) else 0, cost, younger)
