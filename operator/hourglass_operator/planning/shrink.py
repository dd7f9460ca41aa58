"""Taking instances out: first of the Service, then, once drained, out of the world. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hourglass_common.domain.drain_report import DrainReport

from .drain import Drain, drain
from .naming import OUT_OF_SERVICE, SERVING, SERVING_LABEL
from .revision import DELETION_COST, DRAINING_SINCE, Instance, Revision

_FIRST_TO_GO = "-1000"


@dataclass(frozen=True, slots=True)
class PodMark:
    """A change of one pod's label and annotations."""

    instance: Instance
    change: Mapping[str, Any]
    because: str


@dataclass(frozen=True, slots=True)
class Shrink:
    """The replicas to ask for now, pods to mark, and the drains that are waited for."""

    replicas: int
    marks: tuple[PodMark, ...] = ()
    drains: tuple[Drain, ...] = ()

    @property
    def recheck_after(self) -> float | None:
        left = [d.recheck_after for d in self.drains if d.recheck_after is not None]
        return min(left, default=None)


def shrink(
    revision: Revision,
    keep: int,
    reports: Iterable[DrainReport],
    now: datetime,
    *,
    timeout_seconds: float,
) -> Shrink:
    """Return what brings the revision to ``keep`` instances without cutting off a task.

    Instances that are not ready hold no tasks and go at once. A ready one is taken out of the
    Service and marked as the first to go; the ReplicaSet shrinks when it is drained. Whatever is
    to stay after all is put back.
    """
    reports = tuple(reports)
    going = _leaving(revision, keep)
    marks: list[PodMark] = []
    drains: list[Drain] = []
    free = 0
    for instance in revision.instances:
        if instance not in going:
            if not instance.serving:
                marks.append(_put_back(instance))
            continue
        if not instance.ready:
            free += 1
            continue
        if not instance.draining_since:
            marks.append(_take_out(instance, now))
            continue
        state = drain(
            reports,
            revision.hash,
            _moment(instance.draining_since, now),
            now,
            timeout_seconds=timeout_seconds,
            instance=instance.name,
        )
        drains.append(state)
        free += state.over
    replicas = min(revision.wanted, max(keep, revision.existing - free))
    return Shrink(replicas, tuple(marks), tuple(drains))


def restore(revision: Revision) -> tuple[PodMark, ...]:
    """Return the marks that put every instance back into the Service."""
    return tuple(_put_back(each) for each in revision.instances if not each.serving)


def _leaving(revision: Revision, keep: int) -> frozenset[Instance]:
    """Return who goes: those without readiness first, then those being drained, then the newest."""
    count = max(0, revision.existing - keep)
    order = sorted(revision.instances, key=lambda i: i.name)
    order.sort(key=lambda i: i.created_at, reverse=True)
    order.sort(key=lambda i: (i.ready, i.serving))
    return frozenset(order[:count])


def _moment(text: str, now: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return now


def _take_out(instance: Instance, now: datetime) -> PodMark:
    since = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    change = {
        "metadata": {
            "labels": {SERVING_LABEL: OUT_OF_SERVICE},
            "annotations": {DRAINING_SINCE: since, DELETION_COST: _FIRST_TO_GO},
        }
    }
    return PodMark(instance, change, "taken out of service to be removed")


def _put_back(instance: Instance) -> PodMark:
    change = {
        "metadata": {
            "labels": {SERVING_LABEL: SERVING},
            "annotations": {DRAINING_SINCE: None, DELETION_COST: None},
        }
    }
    return PodMark(instance, change, "put back into service")
