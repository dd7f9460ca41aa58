"""What a performer's status says, from what was observed. Pure.

Ready means that the newest spec is achieved; Available that some instance takes tasks.
Reconciling and Stalled are the kstatus conditions: present only while they hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer import Performer
from hourglass_common.kube.objects import is_pod_ready, is_terminating, labels

from .naming import REVISION_LABEL, grpc_endpoint, selector, service_name
from .observed import Revision
from .reasons import BLOCKED, STALLED, Reason
from .trouble import Trouble, find_trouble, next_deadline

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the conditions are judged from."""

    performer: Performer
    current: str
    wanted: int
    newest: Revision | None
    others: int
    pods: tuple[Manifest, ...]
    trouble: Trouble | None
    recheck_after: float | None
    now: datetime

    @property
    def ready_pods(self) -> tuple[Manifest, ...]:
        return tuple(pod for pod in self.pods if is_pod_ready(pod))

    @property
    def updated(self) -> tuple[Manifest, ...]:
        return tuple(pod for pod in self.pods if labels(pod).get(REVISION_LABEL) == self.current)

    @property
    def updated_ready(self) -> int:
        return sum(1 for pod in self.updated if is_pod_ready(pod))

    @property
    def achieved(self) -> bool:
        """Whether the newest spec runs in full and nothing older does."""
        if self.newest is None or (self.trouble and self.trouble.reason in BLOCKED):
            return False
        return self.updated_ready >= self.wanted and self.others == 0


def judge(
    performer: Performer,
    current: str,
    revisions: Sequence[Revision],
    pods: Sequence[Manifest],
    *,
    blocked: Trouble | None,
    now: datetime,
) -> Situation:
    """Return the situation; ``blocked`` is what keeps the operator itself from acting."""
    newest = next((r for r in revisions if r.hash == current), None)
    named = sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
    living = tuple(pod for pod in named if not is_terminating(pod))
    updated = [pod for pod in living if labels(pod).get(REVISION_LABEL) == current]
    waiting = [pod for pod in updated if not is_pod_ready(pod)]
    return Situation(
        performer=performer,
        current=current,
        wanted=performer.spec.replicas,
        newest=newest,
        others=sum(r.existing for r in revisions if r.hash != current),
        pods=living,
        recheck_after=next_deadline(waiting, now),
        trouble=blocked or find_trouble(newest, waiting, now),
        now=now,
    )


def status_of(seen: Situation) -> dict[str, Any]:
    """Return the whole status; empty fields are left out."""
    old = seen.performer.status
    reason, message = verdict(seen)
    ready = seen.ready_pods
    candidates = sorted(seen.updated, key=lambda pod: not is_pod_ready(pod)) or list(seen.pods)
    found: dict[str, Any] = {
        "observedGeneration": seen.performer.generation,
        "phase": phase_of(seen, reason),
        "ready": bool(ready),
        "replicas": len(seen.pods),
        "readyReplicas": len(ready),
        "updatedReplicas": len(seen.updated),
        "selector": ",".join(f"{k}={v}" for k, v in sorted(selector(seen.performer).items())),
        "revision": seen.current,
        "serviceName": service_name(seen.performer.name),
        "grpcEndpoint": grpc_endpoint(seen.performer),
        "podName": candidates[0]["metadata"]["name"] if candidates else "",
        "readyTime": old.get("readyTime") or (rfc3339(seen.now) if seen.achieved else ""),
        "lastUpgrade": _last_upgrade(seen),
    }
    found = {key: value for key, value in found.items() if value != ""}
    found["conditions"] = _conditions(seen, reason, message)
    return found


def verdict(seen: Situation) -> tuple[Reason, str]:
    """Return the one reason for the performer's state, and a sentence."""
    if seen.trouble is not None and not seen.achieved:
        return seen.trouble.reason, seen.trouble.message
    have = f"{seen.updated_ready} of {seen.wanted} instances of revision {seen.current} are ready"
    if not seen.achieved and seen.others:
        return Reason.ROLLING_OUT, f"{have}; {seen.others} of older revisions are left"
    if not seen.achieved:
        return (Reason.SCALING if seen.ready_pods else Reason.STARTING), have
    if seen.wanted == 0:
        return Reason.SCALED_TO_ZERO, "no instances are wanted"
    return Reason.INSTANCES_READY, have


def phase_of(seen: Situation, reason: Reason) -> str:
    """Return the reference's phase."""
    if seen.performer.deleting:
        return "Terminating"
    if seen.achieved:
        return "Running"
    if reason in STALLED and not seen.ready_pods:
        return "Failed"
    if seen.others:
        return "Upgrading"
    return "Running" if seen.ready_pods else "Pending"


def _last_upgrade(seen: Situation) -> str:
    old = seen.performer.status
    if old.get("revision") and old["revision"] != seen.current:
        return rfc3339(seen.now)
    return str(old.get("lastUpgrade", ""))


def _conditions(seen: Situation, reason: Reason, message: str) -> list[dict[str, Any]]:
    stalled = reason in STALLED
    available = bool(seen.ready_pods) or seen.wanted == 0
    degraded = seen.trouble is not None
    wanted: list[tuple[str, bool]] = [
        ("Ready", seen.achieved),
        ("Progressing", not seen.achieved and not stalled),
        ("Available", available),
        ("Degraded", degraded),
    ]
    if not seen.achieved and not stalled:
        wanted.append(("Reconciling", True))
    if stalled and not seen.achieved:
        wanted.append(("Stalled", True))
    before = {c.get("type"): c for c in seen.performer.status.get("conditions") or ()}
    found: list[dict[str, Any]] = []
    for kind, holds in wanted:
        status = "True" if holds else "False"
        old = before.get(kind) or {}
        flipped = old.get("status") != status
        since = rfc3339(seen.now) if flipped else old.get("lastTransitionTime")
        found.append(
            {
                "type": kind,
                "status": status,
                "observedGeneration": seen.performer.generation,
                "lastTransitionTime": since or rfc3339(seen.now),
                "reason": reason.value,
                "message": message,
            }
        )
    return found
