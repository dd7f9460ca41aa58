"""A performer as a tree: its revisions, their instances, and what executors say of these. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hourglass_common.domain.endpoint import Role
from hourglass_services.control.port import InstanceSteps, PerformerView, StepState
from hourglass_services.inspection.port import BreakerState, EndpointHealth, ExecutorEndpoint

from hourglass_cli.terminal import Paint, Tone

from .output import age, condition

NOT_KNOWN = "not known here"
COLUMNS = ("NAME", "ROLE", "READY", "HEALTH", "BREAKER", "IN FLIGHT", "INFO")

_BREAKERS = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
_HEALTH = (
    EndpointHealth.SERVING,
    EndpointHealth.UNKNOWN,
    EndpointHealth.NOT_SERVING,
    EndpointHealth.UNHEALTHY,
)


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the executors that were asked have told, and the words of those that did not."""

    asked: int = 0
    endpoints: tuple[ExecutorEndpoint, ...] = ()
    failures: tuple[str, ...] = ()

    def of(self, instance: str, address: str) -> tuple[ExecutorEndpoint, ...]:
        """Return what is told of an instance; "" is an address that is not known here."""
        return tuple(
            each
            for each in self.endpoints
            if each.instance == instance and address in ("", each.address)
        )


Explained = Mapping[tuple[str, str], Sequence[InstanceSteps]]
"""Why instances serve or not, by namespace and name of their performer."""


@dataclass(frozen=True, slots=True)
class _Line:
    cells: tuple[str, ...]
    tones: Mapping[int, Tone] = field(default_factory=dict)


def tree(
    views: Sequence[PerformerView],
    inspected: Inspected,
    now: datetime,
    paint: Paint,
    explained: Explained | None = None,
) -> str:
    """Return all performers as one table of trees; a line for each executor that failed.

    Instances without an address are known from ``explained`` alone.
    """
    if not views:
        return "No performers found."
    lines: list[_Line] = []
    for view in views:
        meta = view.manifest["metadata"]
        key = (str(meta.get("namespace", "")), str(meta["name"]))
        instances = _instances(view, (explained or {}).get(key, ()))
        lines += _performer(view, instances, inspected, now, paint)
    text = _columns(lines, paint)
    return "\n".join([text, *(f"  {failure}" for failure in inspected.failures)])


@dataclass(frozen=True, slots=True)
class _Instance:
    """An instance as the cluster has it: with an address, or with what keeps it from one."""

    name: str
    revision: str
    role: Role
    ready: bool
    address: str = ""
    why: str = ""


def _instances(view: PerformerView, explained: Sequence[InstanceSteps]) -> list[_Instance]:
    found = [
        _Instance(each.instance, each.revision, each.role, each.ready, each.address)
        for each in view.endpoints
    ]
    names = {each.name for each in found}
    for each in explained:
        if each.instance not in names:
            ready = any(s.name == "Ready" and s.state is StepState.PASSED for s in each.steps)
            stuck = next((s for s in each.steps if s.state is not StepState.PASSED), None)
            why = (
                ": ".join(filter(None, (stuck.reason or stuck.name, stuck.message)))
                if stuck
                else ""
            )
            found.append(_Instance(each.instance, each.revision, each.role, ready, why=why))
    return found


def _performer(
    view: PerformerView,
    instances: Sequence[_Instance],
    inspected: Inspected,
    now: datetime,
    paint: Paint,
) -> list[_Line]:
    meta, status = view.manifest["metadata"], view.manifest.get("status") or {}
    spec = view.manifest.get("spec") or {}
    ready = condition(view.manifest, "Ready")
    mark, tone = _state(view.manifest, paint)
    wanted = spec.get("replicas", 1)
    reason, message = ready.get("reason", "Pending"), ready.get("message", "")
    head = _Line(
        (
            f"{mark} performer/{meta['name']}",
            str(status.get("phase", "")) or "Pending",
            f"{status.get('readyReplicas', 0)}/{wanted}",
            "",
            "",
            "",
            f"{reason}: {message}" if message else str(reason),
        ),
        {0: tone, 6: Tone.QUIET if tone is Tone.GOOD else tone},
    )
    revisions = list(status.get("revisions") or ())
    known = {str(each.get("hash", "")) for each in revisions}
    shown = [each for each in revisions if _is_shown(each, instances)]
    strays = [each for each in instances if each.revision not in known]
    branches: list[tuple[_Line, list[_Line]]] = [
        (
            _revision(each, now),
            [
                _instance(instance, inspected, paint)
                for instance in instances
                if instance.revision == each.get("hash")
            ],
        )
        for each in shown
    ]
    branches += [(_instance(each, inspected, paint), []) for each in strays]
    return [head, *_branched(branches, paint)]


def _is_shown(revision: Mapping[str, Any], instances: Sequence[_Instance]) -> bool:
    """Whether a revision is worth a line: it runs something, or it plays a part."""
    if revision.get("replicas") or revision.get("role") in ("InService", "Staged", "Draining"):
        return True
    return any(each.revision == revision.get("hash") for each in instances)


def _revision(revision: Mapping[str, Any], now: datetime) -> _Line:
    role = str(revision.get("role", ""))
    info = [str(revision.get("image", ""))]
    if revision.get("inServiceSince") and role == "InService":
        info.append(f"for {age(str(revision['inServiceSince']), now)}")
    info += [str(revision.get("rejected", ""))]
    info += [f"gate {str(revision['gate']).lower()}"] if revision.get("gate") else []
    ready, replicas = revision.get("readyReplicas", 0), revision.get("replicas", 0)
    return _Line(
        (
            f"revision/{revision.get('hash', '')}",
            role,
            f"{ready}/{replicas}",
            "",
            "",
            "",
            ", ".join(filter(None, info)),
        ),
        {1: _tone_of_role(role), 6: Tone.QUIET},
    )


def _instance(instance: _Instance, inspected: Inspected, paint: Paint) -> _Line:
    mark = paint.symbol("✔", "+") if instance.ready else paint.symbol("◌", ".")
    told = inspected.of(instance.name, instance.address)
    health, health_tone = _health(told, inspected)
    breaker, breaker_tone = _breaker(told, inspected)
    skipped = sorted({each.skipped for each in told if each.skipped})
    info = [instance.address, instance.why, *(f"skipped: {why}" for why in skipped)]
    return _Line(
        (
            f"{mark} instance/{instance.name}",
            instance.role.value,
            "ready" if instance.ready else "not ready",
            health,
            breaker,
            str(sum(each.in_flight for each in told)) if told else _nothing(inspected),
            ", ".join(filter(None, info)),
        ),
        {
            0: Tone.GOOD if instance.ready else Tone.WAITING,
            1: _tone_of_role(instance.role.value),
            3: health_tone,
            4: breaker_tone,
            6: Tone.QUIET,
        },
    )


def _nothing(inspected: Inspected) -> str:
    """Return what stands where no executor told of an instance."""
    return "-" if inspected.asked > len(inspected.failures) else NOT_KNOWN


def _health(told: Sequence[ExecutorEndpoint], inspected: Inspected) -> tuple[str, Tone]:
    if not told:
        return _nothing(inspected), Tone.QUIET
    worst = max(told, key=lambda each: (not each.connected, _HEALTH.index(each.health)))
    word = worst.health.value if worst.connected else "NotConnected"
    tone = Tone.GOOD if word == "Serving" else Tone.BAD
    same = [e for e in told if (e.health.value if e.connected else "NotConnected") == word]
    return word + (f" {len(same)}/{len(told)}" if len(same) < len(told) else ""), tone


def _breaker(told: Sequence[ExecutorEndpoint], inspected: Inspected) -> tuple[str, Tone]:
    if not told:
        return _nothing(inspected), Tone.QUIET
    worst = max((each.breaker for each in told), key=_BREAKERS.index)
    same = sum(each.breaker is worst for each in told)
    tones = {BreakerState.CLOSED: Tone.GOOD, BreakerState.HALF_OPEN: Tone.WAITING}
    text = worst.value + (f" {same}/{len(told)}" if same < len(told) else "")
    return text, tones.get(worst, Tone.BAD)


def _state(manifest: Mapping[str, Any], paint: Paint) -> tuple[str, Tone]:
    if condition(manifest, "Stalled").get("status") == "True":
        return paint.symbol("✖", "x"), Tone.BAD
    if condition(manifest, "Ready").get("status") == "True":
        return paint.symbol("✔", "+"), Tone.GOOD
    return paint.symbol("◌", "."), Tone.WAITING


def _tone_of_role(role: str) -> Tone:
    if role == Role.IN_SERVICE.value:
        return Tone.GOOD
    return Tone.QUIET if role == Role.RETIRED.value else Tone.WAITING


def _branched(branches: Sequence[tuple[_Line, list[_Line]]], paint: Paint) -> list[_Line]:
    """Return the branches below their trunk, with the lines that join them."""
    tee, corner = paint.symbol("├─ ", "|- "), paint.symbol("└─ ", "`- ")
    bar = paint.symbol("│  ", "|  ")
    found: list[_Line] = []
    for number, (head, leaves) in enumerate(branches):
        last = number == len(branches) - 1
        found.append(_indented(head, corner if last else tee))
        for place, leaf in enumerate(leaves):
            joint = corner if place == len(leaves) - 1 else tee
            found.append(_indented(leaf, ("   " if last else bar) + joint))
    return found


def _indented(line: _Line, prefix: str) -> _Line:
    return _Line((prefix + line.cells[0], *line.cells[1:]), line.tones)


def _columns(lines: Sequence[_Line], paint: Paint) -> str:
    rows = [_Line(COLUMNS, dict.fromkeys(range(len(COLUMNS)), Tone.STRONG)), *lines]
    widths = [max(len(row.cells[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join(_painted(row, widths, paint) for row in rows)


def _painted(row: _Line, widths: Sequence[int], paint: Paint) -> str:
    last = max((i for i, cell in enumerate(row.cells) if cell), default=0)
    return "   ".join(
        paint(cell, row.tones.get(i, Tone.PLAIN)) + (" " * (width - len(cell)) if i < last else "")
        for i, (cell, width) in enumerate(zip(row.cells, widths, strict=True))
        if i <= last
    )
