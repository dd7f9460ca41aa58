"""What a DELETE does: at once, after a grace period, or once the finalizers are gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from hourglass_common.domain.clock import rfc3339

from .gc import FOREGROUND, ORPHAN
from .kinds import PODS, Kind
from .status import bad_request
from .tree import copied

Manifest = Mapping[str, Any]
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The DeleteOptions of a request; empty uid and resource_version ask for nothing."""

    propagation: Propagation | None = None
    grace_period_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""


def options_of(body: Any, query: Mapping[str, str]) -> Options:
    """Return the options in the body of a request, else in its query. 400 if they are none."""
    body = body or {}
    if not isinstance(body, Mapping):
        raise bad_request("DeleteOptions must be an object")
    propagation: Any = body.get("propagationPolicy") or query.get("propagationPolicy")
    if propagation is None and (orphan := body.get("orphanDependents")) is not None:
        propagation = "Orphan" if orphan else "Background"
    if propagation not in (None, "Background", "Foreground", "Orphan"):
        raise bad_request(
            f'propagationPolicy: "{propagation}" is not Background, Foreground or Orphan'
        )
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    conditions = body.get("preconditions") or {}
    try:
        seconds = None if grace is None else int(grace)
    except (TypeError, ValueError):
        raise bad_request(f"gracePeriodSeconds: {grace!r} is not a number") from None
    return Options(
        propagation=propagation,
        grace_period_seconds=seconds,
        uid=conditions.get("uid") or "",
        resource_version=conditions.get("resourceVersion") or "",
    )


def marked(kind: Kind, old: Manifest, options: Options, now: datetime) -> dict[str, Any] | None:
    """Return ``old`` marked as being deleted; None when it is to be removed at once."""
    new: dict[str, Any] = copied(old)
    place = new["metadata"]
    finalizers = _finalizers(place.get("finalizers") or [], options.propagation)
    if kind.stored_as == "namespaces":
        finalizers = [*finalizers]
        new.setdefault("status", {})["phase"] = "Terminating"
        waits = True
    else:
        waits = bool(finalizers)
    grace = _grace(kind, old, options)
    if not waits and grace == 0:
        return None
    place.pop("finalizers", None)
    if finalizers:
        place["finalizers"] = finalizers
    before = place.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in place or (before is not None and grace < before):
        place["deletionTimestamp"] = rfc3339(now + timedelta(seconds=grace))
        place["deletionGracePeriodSeconds"] = grace
        if kind.counts_generation:
            place["generation"] = place.get("generation", 1) + 1
    return new


def is_finished(kind: Kind, manifest: Manifest) -> bool:
    """Whether an object being deleted has nothing left to wait for."""
    place = manifest["metadata"]
    if "deletionTimestamp" not in place or place.get("finalizers"):
        return False
    if kind.stored_as == "namespaces":
        return not (manifest.get("spec") or {}).get("finalizers")
    return not place.get("deletionGracePeriodSeconds")


def _finalizers(present: list[str], propagation: Propagation | None) -> list[str]:
    if propagation is None:
        return present
    kept = [each for each in present if each not in (FOREGROUND, ORPHAN)]
    match propagation:
        case "Foreground":
            return [*kept, FOREGROUND]
        case "Orphan":
            return [*kept, ORPHAN]
        case "Background":
            return kept


def _grace(kind: Kind, old: Manifest, options: Options) -> int:
    """Only pods have one, and only once a node runs them and until they have ended."""
    if kind is not PODS:
        return 0
    spec, status = old.get("spec") or {}, old.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace_period_seconds is not None:
        return max(0, options.grace_period_seconds)
    if "deletionGracePeriodSeconds" in old["metadata"]:
        return int(old["metadata"]["deletionGracePeriodSeconds"])
    return int(spec.get("terminationGracePeriodSeconds", 30))
