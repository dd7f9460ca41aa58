"""A namespace in memory: does what the API, the ReplicaSet controller and kubelet would do."""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.performer import parse_performer
from hourglass_common.kube.objects import EndpointAddress, controller_of, is_pod_ready
from hourglass_common.kube.resources import Manifest
from hourglass_operator.planning.actions import (
    Action,
    Create,
    Delete,
    Patch,
    Plan,
    Report,
    RestoreReplicas,
    RunGate,
    WriteStatus,
)
from hourglass_operator.planning.naming import revision_of, staged_service_name
from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.plan import plan
from hourglass_operator.planning.revision import DELETION_COST, GATE, GateResult, gate_note
from hourglass_operator.runtime import slim

START = datetime(2026, 1, 1, tzinfo=UTC)
PERFORMER_UID = "performer-uid"


def performer_manifest(name: str = "demo", **spec: Any) -> dict[str, Any]:
    """Return a Performer as the API serves it."""
    given = {"avsAddress": "0xAb", "image": "demo:1", **spec}
    return {
        "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
        "kind": "Performer",
        "metadata": {
            "name": name,
            "namespace": "prod",
            "uid": PERFORMER_UID,
            "generation": 1,
            "resourceVersion": "1",
        },
        "spec": given,
    }


@dataclass
class SimulatedCluster:
    """Holds one Performer and its children; time passes by ``tick`` only."""

    performer: dict[str, Any] = field(default_factory=performer_manifest)
    replica_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    service: dict[str, Any] | None = None
    staged_service: dict[str, Any] | None = None
    network_policy: dict[str, Any] | None = None
    disruption_budget: dict[str, Any] | None = None
    reports: tuple[DrainReport, ...] = ()
    gate: str = "Passed"
    status_age: float = math.inf
    foreign: tuple[dict[str, Any], ...] = ()
    events: list[Report] = field(default_factory=list)
    writes: int = 0
    seconds: int = 0
    version: int = 1

    def observed(self) -> Observed:
        """Return what the operator's caches would show: objects in their slim form."""
        performer = parse_performer(slim.performer(self.performer))
        return Observed(
            performer=performer,
            revision=revision_of(performer.spec),
            replica_sets=tuple(map(slim.replica_set, self.replica_sets.values())),
            pods=tuple(map(slim.pod, self.pods.values())),
            service=_slim(slim.service, self.service),
            staged_service=_slim(slim.service, self.staged_service),
            network_policy=_slim(slim.neighbour, self.network_policy),
            disruption_budget=_slim(slim.neighbour, self.disruption_budget),
            reports=self.reports,
            staged_endpoints=self._staged_endpoints(),
            status_age=self.status_age,
            foreign=self.foreign,
            now=START + timedelta(seconds=self.seconds),
        )

    def plan(self) -> Plan:
        return plan(self.observed())

    def _staged_endpoints(self) -> tuple[EndpointAddress, ...]:
        if self.staged_service is None:
            return ()
        chosen = self.staged_service["spec"]["selector"].items()
        return tuple(
            EndpointAddress(name, "10.0.0.1", 9090, ready=True, serving=True, terminating=False)
            for name in self.ready_pods()
            if chosen <= self.pods[name]["metadata"]["labels"].items()
        )

    def reconcile(self) -> Plan:
        """Plan once and do what the plan says."""
        found = self.plan()
        for action in found.actions:
            self.perform(action)
        return found

    def perform(self, action: Action) -> None:
        match action:
            case Create(manifest=manifest):
                self.writes += 1
                self._create(deepcopy(dict(manifest)))
            case Patch(kind=kind, name=name, change=change):
                self.writes += 1
                _merge(self._object(kind, name), deepcopy(dict(change)))
            case Delete(kind="ReplicaSet", name=name):
                self.writes += 1
                del self.replica_sets[name]
            case Delete(kind=kind, name=name):
                self.writes += 1
                setattr(self, self._slot(kind, name), None)
            case WriteStatus(status=status):
                self.writes += 1
                self.performer["status"] = deepcopy(dict(status))
            case RestoreReplicas(replicas=replicas):
                self.writes += 1
                self.change_spec(replicas=replicas)
            case RunGate(name=name, digest=digest, tries=tries):
                self.writes += 1
                result = GateResult(digest, self.gate, tries + 1, f"the gate {self.gate}")
                marks = {"metadata": {"annotations": {GATE: gate_note(result)}}}
                _merge(self.replica_sets[name], marks)
            case Report():
                self.events.append(action)

    def _slot(self, kind: str, name: str) -> str:
        """Return the attribute that holds the one object of this kind and name."""
        if kind == "Service":
            staged = name == staged_service_name(_name(self.performer))
            return "staged_service" if staged else "service"
        return {"NetworkPolicy": "network_policy", "PodDisruptionBudget": "disruption_budget"}[kind]

    def _object(self, kind: str, name: str) -> dict[str, Any]:
        if kind == "ReplicaSet":
            return self.replica_sets[name]
        if kind == "Pod":
            return self.pods[name]
        found = getattr(self, self._slot(kind, name))
        assert isinstance(found, dict), f"there is no {kind} {name}"
        return found

    def change_spec(self, **spec: Any) -> None:
        self.performer["spec"] |= spec
        self.performer["metadata"]["generation"] += 1

    def sync_replica_sets(self) -> None:
        """Make and delete pods as the ReplicaSets ask; pods not ready go first, then cheap ones."""
        for name, found in self.replica_sets.items():
            mine = sorted(self._pods_of(name), key=lambda p: (is_pod_ready(p), _cost(p), _name(p)))
            wanted = found["spec"]["replicas"]
            for pod in mine[: max(0, len(mine) - wanted)]:
                del self.pods[_name(pod)]
            for _ in range(wanted - len(mine)):
                self._make_pod(found)
        self._count()

    def set_ready(self, pod: str, *, ready: bool = True) -> None:
        now = rfc3339(START + timedelta(seconds=self.seconds))
        status = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": now,
        }
        self.pods[pod]["status"] = {"conditions": [status]}
        self._count()

    def serving_pods(self) -> list[str]:
        """Return the ready pods that the Service selects."""
        if self.service is None:
            return []
        chosen = self.service["spec"]["selector"].items()
        ready = self.ready_pods()
        return [n for n in ready if chosen <= self.pods[n]["metadata"]["labels"].items()]

    def ready_pods(self) -> list[str]:
        return [name for name, pod in self.pods.items() if is_pod_ready(pod)]

    def waiting_pods(self) -> list[str]:
        return [name for name, pod in self.pods.items() if not is_pod_ready(pod)]

    def settle(self, rounds: int = 200) -> None:
        """Let everything happen, each step in turn, and time pass, until nothing is to come."""
        for _ in range(rounds):
            before = self.writes, sorted(self.ready_pods()), sorted(self.pods)
            found = self.reconcile()
            self.sync_replica_sets()
            for pod in self.waiting_pods():
                self.set_ready(pod)
            if (self.writes, sorted(self.ready_pods()), sorted(self.pods)) != before:
                self.seconds += 1
            elif found.requeue_after is not None:
                self.seconds += max(1, math.ceil(found.requeue_after))
            else:
                return
        raise AssertionError("still writing after many rounds")

    def step(self, seconds: int = 1) -> Plan:
        """Reconcile once, let the ReplicaSets follow, and let time pass; pods stay as they are."""
        found = self.reconcile()
        self.sync_replica_sets()
        self.seconds += seconds
        return found

    def _create(self, manifest: dict[str, Any]) -> None:
        self.version += 1
        meta = manifest["metadata"]
        meta |= {
            "uid": f"uid-{self.version}",
            "resourceVersion": str(self.version),
            "creationTimestamp": rfc3339(START + timedelta(seconds=self.seconds)),
        }
        assert controller_of(manifest) == PERFORMER_UID
        if manifest["kind"] == "ReplicaSet":
            assert meta["name"] not in self.replica_sets
            self.replica_sets[meta["name"]] = manifest
        else:
            slot = self._slot(manifest["kind"], meta["name"])
            assert getattr(self, slot) is None
            setattr(self, slot, manifest)

    def _make_pod(self, replica_set: dict[str, Any]) -> None:
        self.version += 1
        template = deepcopy(replica_set["spec"]["template"])
        name = f"{_name(replica_set)}-{self.version}"
        template["metadata"] |= {
            "name": name,
            "creationTimestamp": rfc3339(START + timedelta(seconds=self.seconds)),
            "ownerReferences": [{"uid": replica_set["metadata"]["uid"], "controller": True}],
        }
        self.pods[name] = {"kind": "Pod", **template}

    def _pods_of(self, name: str) -> Iterator[dict[str, Any]]:
        uid = self.replica_sets[name]["metadata"]["uid"]
        return (pod for pod in self.pods.values() if controller_of(pod) == uid)

    def _count(self) -> None:
        for name, found in self.replica_sets.items():
            mine = list(self._pods_of(name))
            ready = sum(1 for pod in mine if is_pod_ready(pod))
            found["status"] = {"replicas": len(mine), "readyReplicas": ready}


def _slim(transform: Callable[[Manifest], Manifest], found: Manifest | None) -> Manifest | None:
    return None if found is None else transform(found)


def _cost(pod: dict[str, Any]) -> int:
    cost = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    return int(cost)


def _name(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"]["name"])


def _merge(target: dict[str, Any], change: Any) -> None:
    for key, value in change.items():
        if isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = value
