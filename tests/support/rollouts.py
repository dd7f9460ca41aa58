"""Performers in the middle of a rollout, in a simulated namespace."""

from datetime import timedelta
from typing import Any

from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.kube.objects import condition

from tests.support.simulated_cluster import START, SimulatedCluster, performer_manifest

REVISION = "hourglass.eigenlayer.io/revision"


def settled(**spec: Any) -> SimulatedCluster:
    cluster = SimulatedCluster(performer_manifest(**spec))
    cluster.settle()
    return cluster


def blue_green(**settings: Any) -> dict[str, Any]:
    """Return a ``strategy``."""
    return {"type": "BlueGreen", **({"blueGreen": settings} if settings else {})}


def staged(
    replicas: int = 1, rollout: dict[str, Any] | None = None, **settings: Any
) -> SimulatedCluster:
    """Return a performer whose second revision is complete and not promoted yet."""
    cluster = settled(
        replicas=replicas,
        strategy=blue_green(**settings),
        **({"rollout": rollout} if rollout else {}),
    )
    cluster.change_spec(image="demo:2")
    bring_up(cluster)
    return cluster


def bring_up(cluster: SimulatedCluster, rounds: int = 4) -> None:
    """Let what is wanted come up and be Ready; hardly any time passes."""
    for _ in range(rounds):
        cluster.step(seconds=0)
        for pod in cluster.waiting_pods():
            cluster.set_ready(pod)


def decide(cluster: SimulatedCluster, action: str, revision: str = "", by: str = "alice") -> None:
    """Patch a decision into the spec, as a named field manager."""
    rollout = dict(cluster.performer["spec"].get("rollout") or {})
    rollout["decision"] = {
        "action": action,
        "revision": revision,
        "decidedForHash": status_of(cluster)["revision"],
    }
    own(cluster, by, {"f:rollout": {"f:decision": {}}})
    cluster.change_spec(rollout=rollout)


def own(cluster: SimulatedCluster, manager: str, fields: dict[str, Any]) -> None:
    """Record a field manager as the last writer of parts of the spec."""
    entries = cluster.performer["metadata"].setdefault("managedFields", [])
    entries.append(
        {
            "manager": manager,
            "operation": "Update",
            "time": f"2026-01-01T00:00:{len(entries):02}Z",
            "fieldsV1": {"f:spec": fields},
        }
    )


def report(
    cluster: SimulatedCluster, executor: str, revision: str, in_flight: int, **more: Any
) -> None:
    """Let an executor speak, now; an earlier word of it on the revision is replaced."""
    now = START + timedelta(seconds=cluster.seconds)
    valid = more.pop("valid_seconds", 60)
    said = DrainReport(
        executor=executor,
        revision=revision,
        in_flight=in_flight,
        lost=more.pop("lost", 0),
        renewed_at=now,
        valid_until=now + timedelta(seconds=valid),
        instances=more.pop("instances", {}),
    )
    others = [r for r in cluster.reports if (r.executor, r.revision) != (executor, revision)]
    cluster.reports = (*others, said)


def condition_of(cluster: SimulatedCluster, kind: str) -> tuple[str, str]:
    found = condition(cluster.performer, kind) or {}
    return found.get("status", "absent"), found.get("reason", "absent")


def message_of(cluster: SimulatedCluster) -> str:
    return str((condition(cluster.performer, "Ready") or {}).get("message", ""))


def status_of(cluster: SimulatedCluster) -> dict[str, Any]:
    found = cluster.performer["status"]
    assert isinstance(found, dict)
    return found


def roles(cluster: SimulatedCluster) -> dict[str, str]:
    """Return the role of each revision, by image."""
    return {each["image"]: each["role"] for each in status_of(cluster)["revisions"]}


def hash_of(cluster: SimulatedCluster, image: str) -> str:
    (found,) = (e["hash"] for e in status_of(cluster)["revisions"] if e["image"] == image)
    return str(found)


def served_images(cluster: SimulatedCluster) -> set[str]:
    """Return the images that the Service leads to."""
    return {
        str(cluster.pods[name]["spec"]["containers"][0]["image"]) for name in cluster.serving_pods()
    }


def receipts(cluster: SimulatedCluster) -> list[dict[str, Any]]:
    return list(status_of(cluster).get("receipts") or ())


def event_reasons(cluster: SimulatedCluster) -> list[str]:
    return [event.reason for event in cluster.events]
