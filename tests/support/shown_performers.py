"""Performers as PerformerControl shows them, in the states that a person looks at."""

from copy import deepcopy
from typing import Any

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.domain.health import HealthSource
from hourglass_services.control.port import PerformerView
from hourglass_services.inspection.port import BreakerState, EndpointHealth, ExecutorEndpoint

OLD, NEW = "722326c72", "64ae8d11f"


def conditions(ready: bool, reason: str, message: str, *more: str) -> list[dict[str, Any]]:
    """Return Ready, and each of ``more`` as true."""
    said = {
        "observedGeneration": 3,
        "lastTransitionTime": "2026-01-02T03:59:30Z",
        "reason": reason,
        "message": message,
    }
    found = [{"type": "Ready", "status": "True" if ready else "False", **said}]
    return found + [{"type": kind, "status": "True", **said} for kind in more]


STAGED: dict[str, Any] = {
    "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
    "kind": "Performer",
    "metadata": {
        "namespace": "default",
        "name": "squares",
        "uid": "u1",
        "resourceVersion": "77",
        "generation": 3,
        "labels": {"team": "a"},
        "creationTimestamp": "2026-01-02T03:00:00Z",
    },
    "spec": {
        "avsAddress": "0x33",
        "image": "squares:v2",
        "replicas": 2,
        "strategy": {"type": "BlueGreen"},
    },
    "status": {
        "phase": "Upgrading",
        "observedGeneration": 3,
        "replicas": 2,
        "readyReplicas": 1,
        "grpcEndpoint": "performer-squares.default.svc.cluster.local:9090",
        "revision": NEW,
        "inServiceRevision": OLD,
        "conditions": conditions(
            False, "AwaitingPromotion", "promote it by hand", "Available", "Reconciling"
        ),
        "revisions": [
            {
                "hash": NEW,
                "role": "Staged",
                "image": "squares:v2",
                "replicas": 1,
                "readyReplicas": 1,
                "gate": "Passed",
            },
            {
                "hash": OLD,
                "role": "InService",
                "image": "squares:v1",
                "replicas": 2,
                "readyReplicas": 1,
                "inServiceSince": "2026-01-02T03:30:00Z",
            },
            {"hash": "000000000", "role": "Retired", "image": "squares:v0"},
        ],
        "receipts": [
            {
                "action": "Promote",
                "who": "jo by hourglass-control",
                "when": "2026-01-02T03:30:00Z",
                "from": "000000000",
                "to": OLD,
                "inFlight": "0",
                "lost": "0",
            }
        ],
    },
}


def endpoint(number: int, revision: str = OLD, **more: Any) -> Endpoint:
    return Endpoint(
        performer_id="default/squares",
        revision=revision,
        instance=f"squares-{revision}-{number}",
        address=f"10.0.0.{number}:9090",
        **more,
    )


ENDPOINTS = (
    endpoint(1),
    endpoint(2, ready=False),
    endpoint(3, NEW, role=Role.STAGED),
)


def view(status: dict[str, Any] | None = None, **meta: Any) -> PerformerView:
    """Return the staged performer, with ``status`` and ``meta`` changed."""
    manifest = deepcopy(STAGED)
    manifest["metadata"] |= meta
    manifest["status"] |= status or {}
    return PerformerView(manifest, ENDPOINTS)


def ready() -> PerformerView:
    return view({"phase": "Running", "conditions": conditions(True, "InstancesReady", "2 of 2")})


def stalled() -> PerformerView:
    said = conditions(False, "ImagePullFailed", "no such image", "Stalled")
    return view({"phase": "Failed", "conditions": said})


def inspected(number: int, **more: Any) -> ExecutorEndpoint:
    """Return what an executor tells of the instance ``number`` of the old revision."""
    told: dict[str, Any] = {
        "performer_id": "p1",
        "avs_address": "0x33",
        "instance": f"squares-{OLD}-{number}",
        "address": f"10.0.0.{number}:9090",
        "revision": OLD,
        "role": Role.IN_SERVICE,
        "connected": True,
        "health": EndpointHealth.SERVING,
        "health_source": HealthSource.WATCH,
        "breaker": BreakerState.CLOSED,
        "in_flight": 2,
    }
    return ExecutorEndpoint(**{**told, **more})
