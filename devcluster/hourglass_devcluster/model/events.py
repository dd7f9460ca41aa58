"""Events have two forms and one store: kept as core/v1, shown as either."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .kinds import CORE_EVENTS, Kind

KEPT_FOR = timedelta(hours=1)

Manifest = Mapping[str, Any]

_NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_ALWAYS_THERE: Manifest = {
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
_CORE_NAMES = {new: core for core, new in _NEW_NAMES.items()}


def outward(kind: Kind, stored: Manifest) -> Manifest:
    """Return a stored object in the form in which ``kind`` shows it."""
    if kind.stored_as != "events" or kind.group == "":
        return stored
    return _renamed(stored, _NEW_NAMES, kind)


def inward(kind: Kind, shown: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a request in the form in which it is stored."""
    if kind.stored_as != "events":
        return shown
    stored = shown if kind.group == "" else _renamed(shown, _CORE_NAMES, CORE_EVENTS)
    return {**_ALWAYS_THERE, **stored}


def is_stale(stored: Manifest, now: datetime) -> bool:
    """Whether an event last happened so long ago that Kubernetes would have dropped it."""
    series = stored.get("series") or {}
    last: Any = series.get("lastObservedTime") or stored.get("lastTimestamp")
    for moment in (last, stored["metadata"]["creationTimestamp"]):
        try:
            return now - datetime.fromisoformat(moment) > KEPT_FOR
        except (TypeError, ValueError):
            continue  # writers may put anything into a time; the server's own is sound
    return False


def _renamed(manifest: Manifest, names: Mapping[str, str], kind: Kind) -> dict[str, Any]:
    renamed = {names.get(key, key): value for key, value in manifest.items()}
    return {**renamed, "apiVersion": kind.api_version, "kind": kind.kind}
