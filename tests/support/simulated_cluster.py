"""A namespace in memory: does what the API, the ReplicaSet controller and kubelet would do."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer import parse_performer
from hourglass_common.kube.objects import controller_of, is_pod_ready
from hourglass_operator.planning.actions import (
    Action,
    Apply,
    Delete,
    Patch,
    Plan,
    Report,
    WriteStatus,
)
from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.plan import plan

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
    foreign: tuple[dict[str, Any], ...] = ()
    events: list[Report] = field(default_factory=list)
    writes: int = 0
    seconds: int = 0
    version: int = 1

    def observed(self) -> Observed:
        return Observed(
            performer=parse_performer(self.performer),
            replica_sets=tuple(self.replica_sets.values()),
            pods=tuple(self.pods.values()),
            service=self.service,
            foreign=self.foreign,
            now=START + timedelta(seconds=self.seconds),
        )

    def reconcile(self) -> Plan:
        """Plan once and do what the plan says."""
        found = plan(self.observed())
        for action in found.actions:
            self.perform(action)
        return found

    def perform(self, action: Action) -> None:
        match action:
            case Apply(manifest=manifest):
                self.writes += 1
                self._create(deepcopy(dict(manifest)))
            case Patch(kind="ReplicaSet", name=name, change=change):
                self.writes += 1
                _merge(self.replica_sets[name], change)
            case Patch(change=change):
                self.writes += 1
                assert self.service is not None
                _merge(self.service, change)
            case Delete(kind="ReplicaSet", name=name):
                self.writes += 1
                del self.replica_sets[name]
            case Delete():
                self.writes += 1
                self.service = None
            case WriteStatus(status=status):
                self.writes += 1
                self.performer["status"] = deepcopy(dict(status))
            case Report():
                self.events.append(action)

    def change_spec(self, **spec: Any) -> None:
        self.performer["spec"] |= spec
        self.performer["metadata"]["generation"] += 1

    def sync_replica_sets(self) -> None:
        """Make and delete pods as the ReplicaSets ask; pods not ready are deleted first."""
        for name, found in self.replica_sets.items():
            mine = sorted(self._pods_of(name), key=lambda p: (is_pod_ready(p), _name(p)))
            wanted = found["spec"]["replicas"]
            for pod in mine[: max(0, len(mine) - wanted)]:
                del self.pods[_name(pod)]
            for _ in range(wanted - len(mine)):
                self._make_pod(found)
        self._count()

    def set_ready(self, pod: str, *, ready: bool = True) -> None:
        self.pods[pod]["status"] = {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]
        }
        self._count()

    def ready_pods(self) -> list[str]:
        return [name for name, pod in self.pods.items() if is_pod_ready(pod)]

    def waiting_pods(self) -> list[str]:
        return [name for name, pod in self.pods.items() if not is_pod_ready(pod)]

    def settle(self, rounds: int = 60) -> None:
        """Let everything happen, each step in turn, until nothing does."""
        for _ in range(rounds):
            self.seconds += 1
            before = self.writes, sorted(self.ready_pods())
            self.reconcile()
            self.sync_replica_sets()
            for pod in self.waiting_pods():
                self.set_ready(pod)
            if (self.writes, sorted(self.ready_pods())) == before:
                return
        raise AssertionError("still writing after many rounds")

    def _create(self, manifest: dict[str, Any]) -> None:
        self.version += 1
        meta = manifest["metadata"]
        meta |= {
            "uid": f"uid-{self.version}",
            "resourceVersion": str(self.version),
            "creationTimestamp": f"2026-01-01T00:{self.version // 60:02}:{self.version % 60:02}Z",
        }
        assert controller_of(manifest) == PERFORMER_UID
        if manifest["kind"] == "Service":
            assert self.service is None
            self.service = manifest
        else:
            assert meta["name"] not in self.replica_sets
            self.replica_sets[meta["name"]] = manifest

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
