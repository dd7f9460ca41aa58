"""A performer on one screen, and the tables about its parts. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hourglass_services.control.port import (
    Explanation,
    PerformerView,
    RevisionView,
    Step,
    StepState,
)

from hourglass_cli.terminal import Paint, Tone

from .output import age, condition, table
from .tree import Explained, Inspected, tree

RECEIPT_COLUMNS = ("AGE", "ACTION", "WHO", "FROM", "TO", "IN FLIGHT", "LOST")
REVISION_COLUMNS = ("REVISION", "ROLE", "READY", "IMAGE", "AGE", "IN SERVICE", "INFO")


def described(
    view: PerformerView,
    inspected: Inspected,
    now: datetime,
    paint: Paint,
    explained: Explained | None = None,
) -> str:
    """Return everything about one performer, in sections."""
    manifest = view.manifest
    meta, spec = manifest["metadata"], manifest.get("spec") or {}
    status = manifest.get("status") or {}
    ready = condition(manifest, "Ready")
    marks = ", ".join(f"{key}={value}" for key, value in sorted((meta.get("labels") or {}).items()))
    facts = (
        ("Name", meta["name"]),
        ("Namespace", meta.get("namespace", "")),
        ("Labels", marks or "none"),
        ("Created", f"{meta.get('creationTimestamp', '')} ({_age(meta, now)} ago)"),
        ("AVS", spec.get("avsAddress", "")),
        ("Image", spec.get("image", "")),
        ("Version", spec.get("version", "") or "none"),
        ("Strategy", (spec.get("strategy") or {}).get("type", "RollingUpdate")),
        ("Instances", f"{status.get('readyReplicas', 0)} of {spec.get('replicas', 1)} ready"),
        ("Fenced", _yes(spec.get("fence"))),
        ("Suspended", _yes(spec.get("suspend"))),
        ("Phase", status.get("phase", "") or "Pending"),
        ("Why", f"{ready.get('reason', 'Pending')}: {ready.get('message', 'no status yet')}"),
        ("Endpoint", status.get("grpcEndpoint", "") or "none"),
    )
    width = max(len(name) for name, _ in facts) + 2
    parts = ["\n".join(f"{name + ':':<{width}}{value}" for name, value in facts)]
    conditions = status.get("conditions") or ()
    if conditions:
        parts.append(_section("Conditions", _conditions(conditions, now), paint))
    parts.append(_section("Tree", tree((view,), inspected, now, paint, explained), paint))
    receipts = status.get("receipts") or ()
    if receipts:
        parts.append(_section("Acts", _receipts(receipts, now), paint))
    return "\n\n".join(parts)


def revisions(found: Sequence[RevisionView], now: datetime, *, wide: bool = False) -> str:
    """Return the revisions as a table, newest first."""
    if not found:
        return "No revisions yet."
    more = ("PROMOTED BY", "REPLICA SET") if wide else ()
    return table((*REVISION_COLUMNS, *more), (_revision(each, now, wide=wide) for each in found))


def _revision(found: RevisionView, now: datetime, *, wide: bool) -> tuple[str, ...]:
    rejected = f"{found.rejected} by {found.rejected_by}" if found.rejected_by else found.rejected
    gate = f"gate {found.gate.lower()}" if found.gate else ""
    return (
        found.hash,
        found.role.value,
        f"{found.ready_replicas}/{found.replicas}",
        found.image,
        age(found.created, now),
        age(found.in_service_since, now) if found.in_service_since else "never",
        ", ".join(filter(None, (rejected, gate))),
        *((found.promoted_by, found.replica_set) if wide else ()),
    )


_STEPS: Mapping[StepState, tuple[str, str, Tone]] = {
    StepState.PASSED: ("✔", "+", Tone.GOOD),
    StepState.BLOCKED: ("✖", "x", Tone.BAD),
    StepState.WAITING: ("◌", ".", Tone.WAITING),
    StepState.SKIPPED: ("-", "-", Tone.QUIET),
}


def explanation(found: Explanation, paint: Paint) -> str:
    """Return the steps to serving, each with its state, the reason and what to do."""
    lines = [paint(found.summary, Tone.STRONG), *_steps(found.steps, "", paint)]
    for each in found.instances:
        serves = "serves" if each.serving else "does not serve"
        lines += ["", f"instance/{each.instance} ({each.role.value}, {each.revision}) {serves}"]
        lines += _steps(each.steps, "  ", paint)
    return "\n".join(lines)


def _steps(steps: Sequence[Step], indent: str, paint: Paint) -> list[str]:
    lines: list[str] = []
    for step in steps:
        symbol, plain, tone = _STEPS[step.state]
        why = ": ".join(filter(None, (step.reason, step.message)))
        mark = paint(f"{paint.symbol(symbol, plain)} {step.state.value.lower():<7}", tone)
        lines.append(f"{indent}{mark}  {step.name}{f'  {why}' if why else ''}")
        if step.hint:
            lines.append(f"{indent}           {paint.symbol('→', '->')} {step.hint}")
    return lines


def _conditions(conditions: Sequence[Mapping[str, Any]], now: datetime) -> str:
    return table(
        ("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"),
        (
            (
                str(each.get("type", "")),
                str(each.get("status", "")),
                str(each.get("reason", "")),
                age(str(each.get("lastTransitionTime", "")), now),
                str(each.get("message", "")),
            )
            for each in conditions
        ),
    )


def _receipts(receipts: Sequence[Mapping[str, Any]], now: datetime) -> str:
    return table(
        RECEIPT_COLUMNS,
        (
            (
                age(str(each.get("when", "")), now),
                *(str(each.get(key, "")) for key in ("action", "who", "from", "to")),
                *(str(each.get(key, "")) for key in ("inFlight", "lost")),
            )
            for each in receipts
        ),
    )


def _section(title: str, text: str, paint: Paint) -> str:
    indented = "\n".join(f"  {line}" for line in text.split("\n"))
    return f"{paint(title + ':', Tone.STRONG)}\n{indented}"


def _age(meta: Mapping[str, Any], now: datetime) -> str:
    return age(str(meta.get("creationTimestamp", "")), now)


def _yes(value: Any) -> str:
    return "yes" if value else "no"
