"""Metrics of each performer, read off the cache when they are asked for.

So they cost a reconciliation nothing, take no memory, and go with their object.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.performer_rollout import ROLLING_UPDATE
from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.objects import condition
from hourglass_common.kube.watch_state import Change, Key
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hourglass_operator.planning.reasons import Reason

from . import metrics

Manifest = Mapping[str, Any]
Sample = tuple[tuple[str, ...], float]

OBJECT_LABELS = ("namespace", "performer")
OTHER = "Other"
"""Stands for a reason that is not in the closed list: a status of another version."""
_CONDITIONS = ("Ready", "Available", "Progressing", "Degraded", "Stalled", "Reconciling")
_REASONS = frozenset(reason.value for reason in Reason)


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its labels beside those of the object, and how it is read off one."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Manifest], Iterable[Sample]]


def _ready(manifest: Manifest) -> Iterator[Sample]:
    yield (), float((condition(manifest, "Ready") or {}).get("status") == "True")


def _wanted(manifest: Manifest) -> Iterator[Sample]:
    spec, intent = manifest.get("spec") or {}, _status(manifest).get("intent") or {}

    def said(key: str) -> Any:
        return spec[key] if spec.get(key) is not None else intent.get(key)

    replicas = said("replicas")
    yield (), 0.0 if said("suspend") else float(1 if replicas is None else replicas)


def _ready_replicas(manifest: Manifest) -> Iterator[Sample]:
    yield (), float(_status(manifest).get("readyReplicas") or 0)


def _conditions(manifest: Manifest) -> Iterator[Sample]:
    for found in _status(manifest).get("conditions") or ():
        if found.get("type") in _CONDITIONS:
            reason = found.get("reason")
            labels = (found["type"], reason if reason in _REASONS else OTHER)
            yield labels, float(found.get("status") == "True")


def _revision(manifest: Manifest) -> Iterator[Sample]:
    status = _status(manifest)
    if status.get("revision"):
        yield (str(status["revision"]), str(status.get("inServiceRevision") or "")), 1.0


FAMILIES = (
    Family("hourglass_performer_ready", "1 while Ready is True.", (), _ready),
    Family(
        "hourglass_performer_replicas", "Instances that are wanted; 0 if suspended.", (), _wanted
    ),
    Family("hourglass_performer_ready_replicas", "Instances that are ready.", (), _ready_replicas),
    Family(
        "hourglass_performer_condition",
        "1 while the condition is True, else 0; its reason is of the closed list.",
        ("type", "reason"),
        _conditions,
    ),
    Family(
        "hourglass_performer_revision_info",
        "1; the revision that the spec asks for, and the one that serves.",
        ("revision", "in_service"),
        _revision,
    ),
)


class PerformerCollector(Collector):
    """Registered with a registry while the cache is followed."""

    def __init__(self, performers: Cache) -> None:
        self._performers = performers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        objects = tuple(self._performers.objects.items())
        for family in FAMILIES:
            found = GaugeMetricFamily(
                family.name, family.help, labels=(*OBJECT_LABELS, *family.labels)
            )
            for key, manifest in objects:
                for labels, value in family.read(manifest):
                    found.add_metric((*key, *labels), value)
            yield found


class Rollouts:
    """Times rollouts: from a new revision, or a new performer, to Ready."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[Key, float] = {}

    def on_change(self, change: Change) -> None:
        if change.new is None:
            self._since.pop(change.key, None)
            return
        status, old = _status(change.new), _status(change.old or {})
        is_new = change.old is None and not status
        replaced = bool(old.get("revision")) and old["revision"] != status.get("revision")
        if is_new or replaced:
            self._since[change.key] = self._clock.monotonic()
        elif change.key in self._since and _is_done(change.new):
            seconds = self._clock.monotonic() - self._since.pop(change.key)
            strategy = ((change.new.get("spec") or {}).get("strategy") or {}).get("type")
            metrics.ROLLOUT_SECONDS.labels(strategy or ROLLING_UPDATE).observe(seconds)


def _is_done(manifest: Manifest) -> bool:
    """Return whether Ready is True of the spec as it is now."""
    ready = condition(manifest, "Ready") or {}
    seen = ready.get("observedGeneration", 0)
    current = seen == manifest["metadata"].get("generation", 0)
    return current and ready.get("status") == "True"


def _status(manifest: Manifest) -> Manifest:
    return manifest.get("status") or {}
