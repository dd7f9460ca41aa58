"""Rollouts to be disturbed: how each begins, what sets it off, and what it must come to."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hourglass_common.kube.objects import annotations, condition, is_pod_ready, labels
from hourglass_common.kube.resources import Manifest
from hourglass_operator.planning.naming import REVISION_LABEL, service_name
from hourglass_operator.planning.revision import PROMOTED_FOR, PROMOTION, REJECTED

from tests.support.history import History

READY = ("True", "InstancesReady")


@dataclass(frozen=True)
class Goal:
    """How a performer is to stand: ``images`` maps each to its instances, ``serves`` is selected.

    ``ready`` is status and reason of the Ready condition.
    """

    images: Mapping[str, int]
    serves: str
    ready: tuple[str, str] = READY

    def misses(self, history: History, name: str) -> str:
        """Return what is not yet so, "" if all is."""
        performer = history.objects.get(("performers", name))
        if performer is None:
            return "no performer"
        said = condition(performer, "Ready") or {}
        if said.get("observedGeneration") != performer["metadata"]["generation"]:
            return "an older spec is in the status"
        if (said.get("status"), said.get("reason")) != self.ready:
            return f"Ready is {said.get('status')} {said.get('reason')}"
        living = [s for s in history.of(name, "replicasets").values() if s["spec"]["replicas"]]
        sizes = sorted((_image(s["spec"]["template"]), s["spec"]["replicas"]) for s in living)
        if sizes != sorted(self.images.items()):
            return f"ReplicaSets are {sizes}"
        (serving,) = (s for s in living if _image(s["spec"]["template"]) == self.serves)
        revision = labels(serving)[REVISION_LABEL]
        if performer["status"].get("inServiceRevision") != revision:
            return "another revision is in service"
        return self._pods(history, name)

    def _pods(self, history: History, name: str) -> str:
        pods = list(history.of(name, "pods").values())
        service = history.objects.get(("services", service_name(name)))
        if service is None or len(pods) != sum(self.images.values()):
            return f"{len(pods)} pods"
        chosen = service["spec"]["selector"].items()
        selected = [_image(p) for p in pods if is_pod_ready(p) and chosen <= labels(p).items()]
        if selected != [self.serves] * self.images[self.serves]:
            return f"the Service selects {selected}"
        return ""


@dataclass(frozen=True)
class Change:
    """A change of the spec; ``decide`` is an action to decide on for the spec as it stands."""

    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])
    decide: str = ""

    def patch(self, performer: Manifest) -> dict[str, Any]:
        spec = dict(self.spec)
        if self.decide:
            revision = performer["status"]["revision"]
            decision = {"action": self.decide, "decidedForHash": revision}
            spec["rollout"] = {"decision": decision}
        return {"spec": spec}


@dataclass(frozen=True)
class Scenario:
    """``start`` is the spec to be made, ``before`` what comes next; then ``act``, to ``goal``.

    ``act`` None means that the making itself is what is looked at; ``again`` that the performer
    is deleted and made anew with the spec of ``act``.
    """

    name: str
    start: Mapping[str, Any]
    goal: Goal
    before: tuple[tuple[Change, Goal], ...] = ()
    act: Change | None = None
    again: bool = False


_ROLLOUT = {"drainTimeoutSeconds": 1, "keepPreviousSeconds": 0}
_ROLLING: Mapping[str, Any] = {
    "avsAddress": "0xAb",
    "image": "demo:1",
    "replicas": 2,
    "rollout": _ROLLOUT,
}
_BY_HAND = {**_ROLLING, "strategy": {"type": "BlueGreen"}}
_AT_ONCE = {
    **_ROLLING,
    "strategy": {"type": "BlueGreen", "blueGreen": {"autoPromoteAfterSeconds": 0}},
}
_ONE, _TWO = Goal({"demo:1": 2}, "demo:1"), Goal({"demo:2": 2}, "demo:2")
_STAGED = Goal({"demo:1": 2, "demo:2": 2}, "demo:1", ("False", "AwaitingPromotion"))
_NEXT = Change({"image": "demo:2"})

CREATE = Scenario("create", _ROLLING, _ONE)
UPGRADE = Scenario("upgrade", _ROLLING, _TWO, ((Change(), _ONE),), _NEXT)
PROMOTE = Scenario(
    "promote",
    _BY_HAND,
    _TWO,
    ((Change(), _ONE), (_NEXT, _STAGED)),
    Change(decide="Promote"),
)
ROLLBACK = Scenario(
    "rollback",
    _AT_ONCE,
    Goal({"demo:1": 2}, "demo:1", ("False", "RolledBack")),
    ((Change(), _ONE), (_NEXT, _TWO)),
    Change(decide="Rollback"),
)
RECREATE = Scenario("recreate", _ROLLING, _TWO, ((Change(), _ONE),), _NEXT, again=True)

_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_MARKS = (PROMOTION, PROMOTED_FOR, REJECTED)


def outcome(history: History, name: str) -> dict[str, Any]:
    """Return how a performer stands, without what differs from run to run."""
    found: dict[str, Any] = {}
    for (plural, own), each in history.of(name).items():
        if plural == "pods":
            continue
        if plural == "performers":
            status = {k: v for k, v in each["status"].items() if k != "podName"}
            for piece in status["conditions"]:
                piece["message"] = ""
            found[own] = {**status, "observedGeneration": 0}
            continue
        spec = {k: v for k, v in each["spec"].items() if not k.startswith("clusterIP")}
        marks = {k: v for k, v in annotations(each).items() if k in _MARKS}
        found[f"{plural} {own}"] = {"spec": spec, "labels": labels(each), "marks": marks}
    text = json.dumps(found, sort_keys=True)
    text = text.replace(name, "demo").replace(history.namespace, "prod")
    plain: dict[str, Any] = json.loads(_TIME.sub("then", text))
    for key in ("revisions", "receipts"):  # newest first, to the second
        plain["demo"][key] = sorted(plain["demo"].get(key, []), key=str)
    return plain


def _image(template: Manifest) -> str:
    return str(template["spec"]["containers"][0]["image"])
