"""What a ReplicaSet asks for now: pods to make, delete, adopt or let go; its status. Pure."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339

from .kinds import DELETION_COST
from .selectors import selector_predicate
from .tree import copied

Manifest = Mapping[str, Any]

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LONGEST_NAME = 63
BURST = 50
"""At most so many pods are made or deleted at a time; the rest follows at the next look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What was written and may not be in the cache yet.

    ``created`` are names of pods, ``deleted`` uids; ``next_number`` names the next pod.
    """

    created: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    next_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``status`` is the whole status to be; ``look_again`` in seconds, None for not by time."""

    creates: tuple[dict[str, Any], ...] = ()
    deletes: tuple[Manifest, ...] = ()
    adopts: tuple[Manifest, ...] = ()
    releases: tuple[Manifest, ...] = ()
    next_number: int = 0
    status: Mapping[str, Any] = field(default_factory=dict)
    look_again: float | None = None


def plan(
    replica_set: Manifest, pods: Iterable[Manifest], expected: Expected, now: datetime
) -> Plan:
    """Return what brings the world to ``replica_set``; ``pods`` are those of its namespace."""
    uid = replica_set["metadata"]["uid"]
    matches = selector_predicate(replica_set["spec"].get("selector"))
    alive = [pod for pod in pods if not _is_finished(pod)]
    owned = [pod for pod in alive if _controller(pod) == uid]
    mine = [pod for pod in owned if matches(_labels(pod))]
    if replica_set["metadata"].get("deletionTimestamp"):
        return Plan(next_number=expected.next_number, status=_status(replica_set, mine, now))
    releases = tuple(pod for pod in owned if not matches(_labels(pod)) and not _leaves(pod))
    adopts = tuple(
        pod for pod in alive if not _controller(pod) and matches(_labels(pod)) and not _leaves(pod)
    )
    staying = [
        pod
        for pod in (*mine, *adopts)
        if not _leaves(pod) and pod["metadata"]["uid"] not in expected.deleted
    ]
    seen = {pod["metadata"]["name"] for pod in alive}
    unseen = sum(1 for name in expected.created if name not in seen)
    missing = int(replica_set["spec"].get("replicas", 1)) - len(staying) - unseen
    creates: tuple[dict[str, Any], ...] = ()
    number = expected.next_number
    if missing > 0:
        numbers, number = _free_numbers(replica_set, number, seen | expected.created, missing)
        creates = tuple(new_pod(replica_set, each) for each in numbers)
    deletes = deletion_order(staying, now)[: min(-missing, BURST)] if missing < 0 else ()
    return Plan(
        creates=creates,
        deletes=tuple(deletes),
        adopts=adopts,
        releases=releases,
        next_number=number,
        status=_status(replica_set, [pod for pod in mine if not _leaves(pod)], now),
        look_again=_next_available(replica_set, mine, now),
    )


def deletion_order(pods: Sequence[Manifest], now: datetime) -> tuple[Manifest, ...]:
    """Return ``pods``, first those that are missed least, as Kubernetes ranks them.

    Unassigned; Pending, then Unknown; not ready; cheaper by pod-deletion-cost; ready for less
    long; more restarts; younger.
    """

    def rank(pod: Manifest) -> tuple[Any, ...]:
        phase = (pod.get("status") or {}).get("phase")
        ready = _ready_since(pod)
        created = pod["metadata"].get("creationTimestamp") or ""
        return (
            bool((pod.get("spec") or {}).get("nodeName")),
            {"Pending": 0, "Unknown": 1}.get(str(phase), 2),
            ready is not None,
            _cost(pod),
            _newest_first(ready, now),
            -_restarts(pod),
            _newest_first(_time(created), now),
            pod["metadata"]["name"],
        )

    return tuple(sorted(pods, key=rank))


def pod_name(replica_set: Manifest, number: int) -> str:
    """Return the name of the ReplicaSet's pod ``number``: always the same for the same one."""
    seed = f"{replica_set['metadata']['uid']}/{number}".encode()
    digest = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
    suffix = ""
    for _ in range(_SUFFIX_LENGTH):
        digest, place = divmod(digest, len(_SUFFIX_ALPHABET))
        suffix += _SUFFIX_ALPHABET[place]
    stem = replica_set["metadata"]["name"][: _LONGEST_NAME - _SUFFIX_LENGTH - 1]
    return f"{stem}-{suffix}"


def new_pod(replica_set: Manifest, number: int) -> dict[str, Any]:
    """Return pod ``number`` of the ReplicaSet, as its template says."""
    template = replica_set["spec"].get("template") or {}
    given = template.get("metadata") or {}
    meta = {
        "name": pod_name(replica_set, number),
        "namespace": replica_set["metadata"]["namespace"],
        "generateName": f"{replica_set['metadata']['name']}-",
        "labels": dict(given.get("labels") or {}),
        "annotations": dict(given.get("annotations") or {}),
        "ownerReferences": [reference(replica_set)],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": copied(template.get("spec") or {}),
    }


def reference(replica_set: Manifest) -> dict[str, Any]:
    """Return the owner reference that makes the ReplicaSet a pod's controller."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": replica_set["metadata"]["name"],
        "uid": replica_set["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def with_failure(status: Mapping[str, Any], message: str, now: datetime) -> dict[str, Any]:
    """Return ``status`` with the condition ReplicaFailure: pods could not be made."""
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": message,
        "lastTransitionTime": rfc3339(now),
    }
    return {**status, "conditions": [condition]}


def _status(replica_set: Manifest, pods: Sequence[Manifest], now: datetime) -> dict[str, Any]:
    labels = ((replica_set["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    wait = int(replica_set["spec"].get("minReadySeconds") or 0)
    ready = [since for since in map(_ready_since, pods) if since is not None]
    available = [since for since in ready if (now - since).total_seconds() >= wait or wait == 0]
    return {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(labels.items() <= _labels(pod).items() for pod in pods),
        "readyReplicas": len(ready),
        "availableReplicas": len(available),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }


def _next_available(replica_set: Manifest, pods: Sequence[Manifest], now: datetime) -> float | None:
    """Return the seconds until the next ready pod counts as available."""
    wait = int(replica_set["spec"].get("minReadySeconds") or 0)
    left = [
        wait - (now - since).total_seconds()
        for since in map(_ready_since, pods)
        if since is not None and (now - since).total_seconds() < wait
    ]
    return min(left, default=None)


def _free_numbers(
    replica_set: Manifest, first: int, taken: set[str] | frozenset[str], count: int
) -> tuple[list[int], int]:
    found: list[int] = []
    for number in _counting(first):
        if len(found) == min(count, BURST):
            return found, number
        if pod_name(replica_set, number) not in taken:
            found.append(number)
    raise AssertionError("numbers have no end")


def _counting(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def _is_finished(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _leaves(pod: Manifest) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _labels(pod: Manifest) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _controller(pod: Manifest) -> str:
    for each in pod["metadata"].get("ownerReferences") or ():
        if each.get("controller"):
            return str(each["uid"])
    return ""


def _ready_since(pod: Manifest) -> datetime | None:
    """Return since when the pod is Ready; the beginning of time if it does not say."""
    for each in (pod.get("status") or {}).get("conditions") or ():
        if each.get("type") == "Ready" and each.get("status") == "True":
            return _time(each.get("lastTransitionTime") or "1970-01-01T00:00:00Z")
    return None


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _newest_first(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else (now - moment).total_seconds()


def _cost(pod: Manifest) -> int:
    text = str((pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0"))
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and len(digits) <= 10 else 0


def _restarts(pod: Manifest) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(each.get("restartCount") or 0) for each in statuses), default=0)
