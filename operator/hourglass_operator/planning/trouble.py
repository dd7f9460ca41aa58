"""What keeps instances from becoming ready, read from pods and ReplicaSets. Pure.

A check looks at one pod and names the fault it finds; the first fault of the first pod wins.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hourglass_common.kube.objects import condition

from .reasons import Reason
from .revision import Revision

Manifest = Mapping[str, Any]

_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_CONFIG_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_MAX_MESSAGE = 1024
READY_WITHIN = timedelta(seconds=60)
"""How long a pod may be not ready before that is worth a word."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reason, and a sentence for people that names the object."""

    reason: Reason
    message: str


Check = Callable[[Manifest], Trouble | None]


def find_trouble(
    revision: Revision | None, pods: Sequence[Manifest], now: datetime
) -> Trouble | None:
    """Return why the newest revision does not come up, None if nothing speaks against it.

    ``pods`` are those that are not ready.
    """
    if revision is not None and revision.failure and revision.existing < revision.wanted:
        return _refused(revision.failure[:_MAX_MESSAGE])
    for pod in pods:
        found = next(filter(None, (check(pod) for check in CHECKS)), None)
        if found is not None:
            return Trouble(found.reason, found.message[:_MAX_MESSAGE])
    late = next((pod for pod in pods if now >= _deadline(pod)), None)
    return None if late is None else _late(late)


def _refused(message: str) -> Trouble:
    """Name what refuses the pods, from the ReplicaSet controller's own words."""
    if "exceeded quota" in message or "failed quota" in message:
        return Trouble(Reason.QUOTA_EXCEEDED, message)
    if "violates PodSecurity" in message:
        hint = "; set spec.security.profile to what the namespace allows, or relax the namespace"
        return Trouble(Reason.SECURITY_PROFILE, message + hint)
    return Trouble(Reason.PODS_REFUSED, message)


def next_deadline(pods: Iterable[Manifest], now: datetime) -> float | None:
    """Return the seconds until the first of ``pods``, not ready, is late; None if none is to be."""
    left = [(_deadline(pod) - now).total_seconds() for pod in pods if _deadline(pod) != _NEVER]
    return min((seconds for seconds in left if seconds > 0), default=None)


_NEVER = datetime.max.replace(tzinfo=UTC)


def _deadline(pod: Manifest) -> datetime:
    """Return when a pod that is not ready is late: counted from when it ceased to be, or began."""
    ready = condition(pod, "Ready") or {}
    since = ready.get("lastTransitionTime") or pod["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(since) + READY_WITHIN if since else _NEVER


def _late(pod: Manifest) -> Trouble:
    """Say what is known: kubelet tells nowhere but in its events why a probe failed."""
    said = (condition(pod, "Ready") or {}).get("message", "")
    text = f"pod {pod['metadata']['name']} is not ready for {READY_WITHIN.seconds} s or longer"
    hint = "its grpc.health.v1 service must answer SERVING; kubectl logs and describe show more"
    return Trouble(Reason.NOT_READY_IN_TIME, f"{text}{f' ({said})' if said else ''}: {hint}")


def image_can_not_be_pulled(pod: Manifest) -> Trouble | None:
    for name, waiting in _waiting(pod):
        if waiting.get("reason") in _IMAGE_REASONS:
            return Trouble(Reason.IMAGE_PULL_FAILED, _sentence(pod, name, waiting))
    return None


def configuration_is_missing(pod: Manifest) -> Trouble | None:
    for name, waiting in _waiting(pod):
        if waiting.get("reason") in _CONFIG_REASONS:
            text = _sentence(pod, name, waiting)
            if "runAsNonRoot" in text or "run as root" in text:
                hint = "; build the image with a numeric USER that is not 0"
                return Trouble(Reason.SECURITY_PROFILE, text + hint)
            return Trouble(Reason.CONFIGURATION_FAILED, text)
    return None


def process_crashes(pod: Manifest) -> Trouble | None:
    for status in _containers(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") != "CrashLoopBackOff":
            continue
        ended = (status.get("lastState") or {}).get("terminated") or {}
        code = ended.get("exitCode")
        last = f", last with exit code {code}" if code is not None else ""
        restarts = status.get("restartCount", 0)
        text = f"pod {pod['metadata']['name']} ended {restarts} times{last}"
        return Trouble(Reason.CRASH_LOOPING, f"{text}; kubectl logs --previous shows why")
    return None


def no_node_takes_it(pod: Manifest) -> Trouble | None:
    scheduled = condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        text = f"pod {pod['metadata']['name']}: {scheduled.get('message', '')}"
        return Trouble(Reason.UNSCHEDULABLE, text)
    return None


CHECKS: tuple[Check, ...] = (
    image_can_not_be_pulled,
    configuration_is_missing,
    process_crashes,
    no_node_takes_it,
)


def _containers(pod: Manifest) -> Iterable[Manifest]:
    found: Iterable[Manifest] = (pod.get("status") or {}).get("containerStatuses") or ()
    return found


def _waiting(pod: Manifest) -> Iterable[tuple[str, Manifest]]:
    for status in _containers(pod):
        waiting = (status.get("state") or {}).get("waiting")
        if waiting:
            yield str(status.get("name", "")), waiting


def _sentence(pod: Manifest, container: str, waiting: Manifest) -> str:
    where = f"pod {pod['metadata']['name']}, container {container}"
    return f"{where}: {waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
