"""The status of a pod as its node reports it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339

from .pod_spec import PodSpec
from .pod_state import Ended, Over, PodState, Running, Starting, Waiting

Manifest = Mapping[str, Any]
ADDRESS = "127.0.0.1"


def pod_status(state: PodState, spec: PodSpec, before: Manifest, now: datetime) -> dict[str, Any]:
    """Return the status to write; ``before`` is the one in the API, whose times are kept."""
    phase = _phase(state, before)
    done = "PodCompleted" if phase == "Succeeded" else ""
    why = done or ("" if state.ready else "ContainersNotReady")
    name = spec.container.get("name", "")
    unready = "" if state.ready or done else f"containers with unready status: [{name}]"
    ready = "True" if state.ready else "False"
    wanted = (
        ("PodScheduled", "True", "", ""),
        ("Initialized", "True", "", ""),
        ("ContainersReady", ready, why, unready),
        ("Ready", ready, why, unready),
    )
    return {
        "phase": phase,
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "startTime": before.get("startTime") or rfc3339(now),
        "conditions": [_condition(before, each, now) for each in wanted],
        "containerStatuses": [_container(state, spec)],
    }


def lost_restarts(pod: Manifest) -> int:
    """Return the restart count to begin with: a process that this node has lost counts too."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        ran = "running" in (status.get("state") or {})
        return int(status.get("restartCount") or 0) + (1 if ran else 0)
    return 0


def _phase(state: PodState, before: Manifest) -> str:
    match state.container:
        case Ended(code=code):
            return "Succeeded" if code == 0 else "Failed"
        case Running():
            return "Running"
        case Waiting() | Starting() if state.restarts:
            return "Running"
        case Over():
            return str(before.get("phase") or "Pending")
        case _:
            return "Pending"


def _condition(before: Manifest, wanted: tuple[str, str, str, str], now: datetime) -> Manifest:
    kind, value, reason, message = wanted
    since = rfc3339(now)
    for old in before.get("conditions") or ():
        if old.get("type") == kind and old.get("status") == value:
            since = old.get("lastTransitionTime") or since
    found = {"type": kind, "status": value, "lastTransitionTime": since}
    texts = {"reason": reason, "message": message}
    return found | {key: text for key, text in texts.items() if text}


def _container(state: PodState, spec: PodSpec) -> dict[str, Any]:
    image = str(spec.container.get("image", ""))
    has_run = state.last is not None or isinstance(state.container, Running | Ended)
    found: dict[str, Any] = {
        "name": spec.container.get("name", ""),
        "image": image,
        "imageID": image if has_run else "",
        "ready": state.ready,
        "started": state.started,
        "restartCount": state.restarts,
        "state": _state(state),
        "lastState": {} if state.last is None else {"terminated": _terminated(state.last)},
    }
    return found


def _state(state: PodState) -> dict[str, Any]:
    match state.container:
        case Waiting(reason=reason, message=message):
            return {"waiting": {"reason": reason, "message": message}}
        case Starting():
            return {"waiting": {"reason": "ContainerCreating"}}
        case Running(since=since):
            return {"running": {"startedAt": rfc3339(since.wall)}}
        case Ended():
            return {"terminated": _terminated(state.container)}
        case Over():
            return {"waiting": {"reason": "ContainerCreating"}}


def _terminated(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = {
        "exitCode": ended.code,
        "reason": ended.reason,
        "startedAt": rfc3339(ended.started.wall),
        "finishedAt": rfc3339(ended.finished.wall),
    }
    if ended.code > 128:
        found["signal"] = ended.code - 128
    return found
