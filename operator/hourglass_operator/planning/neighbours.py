"""The objects beside the ReplicaSets: Services, NetworkPolicy, PodDisruptionBudget. Pure.

Each is created whole, and repaired by a merge patch that holds only the difference; what we do
not own of it is left alone.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.kube.objects import is_terminating, labels

from . import manifests
from .actions import Action, Create, Delete, Kind, Patch
from .naming import REVISION_LABEL
from .observed import Observed
from .revision import SWITCHED_AT
from .step import Step, Turn

Manifest = Mapping[str, Any]
_EXACT = frozenset({"selector", "podSelector", "namespaceSelector"})
"""Label selectors: one more label is another selector."""
BUDGET_FROM = 2
"""Instances from which on a budget makes sense: with one, it would forbid every eviction."""


def neighbour_actions(seen: Observed, turn: Turn, step: Step, *, fenced: bool) -> list[Action]:
    """Return what brings the neighbours to their wanted form."""
    performer = seen.performer
    revision = _narrowed(seen, turn, step)
    wanted = manifests.service(performer, revision=revision, fenced=fenced)
    found = ensure(seen.service, wanted, partial(_switch, now=seen.now))
    found += ensure(seen.network_policy, manifests.network_policy(performer), _spec_change)
    if step.staged:
        staged = manifests.staged_service(performer, step.staged)
        found += ensure(seen.staged_service, staged, _service_change)
    elif seen.staged_service is not None:
        found += remove(seen.staged_service, "Service")
    if turn.wanted >= BUDGET_FROM:
        budget = manifests.disruption_budget(performer, revision=step.selects)
        found += ensure(seen.disruption_budget, budget, _spec_change)
    elif seen.disruption_budget is not None:
        found += remove(seen.disruption_budget, "PodDisruptionBudget")
    return found


def _narrowed(seen: Observed, turn: Turn, step: Step) -> str:
    """Return the revision that the Service is to select, "" for all.

    A rolling update that becomes blue-green halfway is narrowed once the newest is complete.
    """
    if not step.selects or seen.service is None:
        return step.selects
    chosen = (seen.service.get("spec") or {}).get("selector") or {}
    if REVISION_LABEL in chosen:
        return step.selects
    one = next((r for r in turn.revisions if r.hash == step.selects), None)
    others = any(r.available for r in turn.revisions if r is not one)
    complete = one is not None and one.available >= turn.wanted
    return step.selects if complete or not others else ""


def ensure(found: Manifest | None, wanted: Manifest, change_of: Any) -> list[Action]:
    """Return what makes an object what it should be: nothing for one that is on its way out."""
    if found is None:
        return [Create(wanted)]
    if is_terminating(found):
        return []
    change: dict[str, Any] = change_of(found, wanted)
    worn = labels(found)
    missing = {k: v for k, v in wanted["metadata"]["labels"].items() if worn.get(k) != v}
    if missing:
        change["metadata"] = {**change.get("metadata", {}), "labels": missing}
    if not change:
        return []
    meta, kind = found["metadata"], wanted["kind"]
    because = f"{kind} differs in " + ", ".join(sorted(change.get("spec", change)))
    return [Patch(kind, meta["name"], meta["uid"], meta["resourceVersion"], change, because)]


def remove(found: Manifest, kind: Kind) -> list[Action]:
    if is_terminating(found):
        return []
    meta = found["metadata"]
    return [Delete(kind, meta["name"], meta["uid"], meta["resourceVersion"])]


def _switch(found: Manifest, wanted: Manifest, now: datetime) -> dict[str, Any]:
    """Return the change of a Service that also notes when it went over to another revision."""
    change = _service_change(found, wanted)
    revision = wanted["spec"]["selector"].get(REVISION_LABEL)
    if revision and (found["spec"].get("selector") or {}).get(REVISION_LABEL) != revision:
        change["metadata"] = {"annotations": {SWITCHED_AT: rfc3339(now)}}
    return change


def _service_change(found: Manifest, wanted: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    ports = [
        {key: port.get(key) for key in ("name", "protocol", "port", "targetPort")}
        for port in found["spec"].get("ports") or ()
    ]
    if ports != wanted["spec"]["ports"]:
        spec["ports"] = wanted["spec"]["ports"]
    selected = found["spec"].get("selector") or {}
    if selected != wanted["spec"]["selector"]:
        extra = {key: None for key in selected if key not in wanted["spec"]["selector"]}
        spec["selector"] = {**wanted["spec"]["selector"], **extra}
    return {"spec": spec} if spec else {}


def _spec_change(found: Manifest, wanted: Manifest) -> dict[str, Any]:
    """Return the keys of the spec that differ; what the API adds by default is no difference."""
    have = found.get("spec") or {}
    spec: dict[str, Any] = {
        key: _over(have.get(key), value)
        for key, value in wanted["spec"].items()
        if not covers(have, {key: value})
    }
    spec |= {
        key: None for key in ("egress", "minAvailable") if key in have and key not in wanted["spec"]
    }
    return {"spec": spec} if spec else {}


def _over(have: Any, wanted: Any) -> Any:
    """Return ``wanted`` as a merge patch over ``have``: keys that must go are null."""
    if isinstance(wanted, Mapping) and isinstance(have, Mapping):
        gone: dict[str, Any] = {key: None for key in have if key not in wanted}
        return {**gone, **{key: _over(have.get(key), value) for key, value in wanted.items()}}
    return wanted


def covers(have: Any, wanted: Any) -> bool:
    """Return whether ``have`` says all that ``wanted`` says; lists must be as long."""
    if isinstance(wanted, Mapping):
        return isinstance(have, Mapping) and all(
            have.get(key) == value if key in _EXACT else covers(have.get(key), value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(have, list) and len(have) == len(wanted) and all(map(covers, have, wanted))
        )
    return bool(have == wanted)
