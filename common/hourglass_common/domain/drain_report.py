"""What executors say of the tasks that draining instances still hold: one Lease each. Pure.

An executor that routes to a performer keeps one Lease for it, owned by the Performer, and writes
it while one of its revisions drains, whenever a number changes. ``leaseDurationSeconds`` says how
long the numbers hold without another word: past it an executor that had tasks is silent, and
what became of them is unknown.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .performer import GROUP, VERSION

DRAIN_LABEL = f"{GROUP}/drain-report"
DRAIN_ANNOTATION = f"{GROUP}/drain-report"
PERFORMER_LABEL = f"{GROUP}/performer"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What one executor says of one revision.

    ``instances`` gives the tasks in flight by pod where the executor tells them apart;
    ``renewed_at`` and ``valid_until`` are times of day.
    """

    executor: str
    revision: str
    in_flight: int
    lost: int
    renewed_at: datetime
    valid_until: datetime
    instances: Mapping[str, int] = field(default_factory=dict)


def reports_of(lease: Mapping[str, Any]) -> tuple[DrainReport, ...]:
    """Return what a Lease reports; what can not be read is left out, as if not said."""
    spec = lease.get("spec") or {}
    text = (lease["metadata"].get("annotations") or {}).get(DRAIN_ANNOTATION, "")
    try:
        renewed = datetime.fromisoformat(spec["renewTime"])
        valid = renewed + timedelta(seconds=int(spec["leaseDurationSeconds"]))
        entries: Iterable[Any] = json.loads(text)
        return tuple(
            DrainReport(
                executor=str(spec.get("holderIdentity") or lease["metadata"]["name"]),
                revision=str(entry["revision"]),
                in_flight=max(0, int(entry["inFlight"])),
                lost=max(0, int(entry.get("lost", 0))),
                renewed_at=renewed,
                valid_until=valid,
                instances={
                    str(pod): max(0, int(count))
                    for pod, count in (entry.get("instances") or {}).items()
                },
            )
            for entry in entries
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def drain_lease(
    performer: Mapping[str, Any], executor: str, reports: Sequence[DrainReport], now: datetime
) -> dict[str, Any]:
    """Return the Lease in which ``executor`` reports on ``performer``, a Performer object."""
    meta = performer["metadata"]
    entries = [
        {
            "revision": report.revision,
            "inFlight": report.in_flight,
            "lost": report.lost,
            **({"instances": dict(report.instances)} if report.instances else {}),
        }
        for report in reports
    ]
    valid = max((report.valid_until for report in reports), default=now)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": drain_lease_name(meta["name"], executor),
            "namespace": meta["namespace"],
            "labels": {DRAIN_LABEL: "true", PERFORMER_LABEL: meta["name"]},
            "annotations": {DRAIN_ANNOTATION: json.dumps(entries, separators=(",", ":"))},
            "ownerReferences": [
                {
                    "apiVersion": f"{GROUP}/{VERSION}",
                    "kind": "Performer",
                    "name": meta["name"],
                    "uid": meta["uid"],
                }
            ],
        },
        "spec": {
            "holderIdentity": executor,
            "leaseDurationSeconds": max(1, round((valid - now).total_seconds())),
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


def drain_lease_name(performer: str, executor: str) -> str:
    digest = hashlib.sha256(executor.encode()).hexdigest()[:10]
    return f"{performer}-drain-{digest}"
