"""The patch that an act is, and what a decision would come to. Pure."""

from collections.abc import Mapping
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import GROUP
from hourglass_common.domain.performer_rollout import Decision
from hourglass_services.control.port import Act

from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.plan import foresee

Manifest = Mapping[str, Any]
Patch = dict[str, Any]

DECISIONS = frozenset({Act.PROMOTE, Act.ABORT, Act.ROLLBACK})
_FLAGS: Mapping[Act, tuple[str, bool]] = {
    Act.FENCE: ("fence", True),
    Act.UNFENCE: ("fence", False),
    Act.SUSPEND: ("suspend", True),
    Act.RESUME: ("suspend", False),
}


def flag_patch(manifest: Manifest, act: Act) -> Patch:
    """Return the patch of a fence or a suspension, {} where the spec says so already."""
    key, value = _FLAGS[act]
    said = (manifest.get("spec") or {}).get(key)
    return {} if said is value else {"spec": {key: value}}


def scale_patch(manifest: Manifest, replicas: int) -> Patch:
    said = (manifest.get("spec") or {}).get("replicas")
    return {} if said == replicas else {"spec": {"replicas": replicas}}


def decision_of(act: Act, revision: str, current: str) -> Decision:
    """Return the decision for a performer whose spec asks for revision ``current``."""
    return Decision(action=act.value, revision=revision, decided_for_hash=current)


def decision_patch(manifest: Manifest, decision: Decision) -> Patch:
    """Return the patch of a decision, {} where the spec has it already."""
    wanted = {
        "action": decision.action,
        "revision": decision.revision or None,
        "decidedForHash": decision.decided_for_hash,
    }
    said = ((manifest.get("spec") or {}).get("rollout") or {}).get("decision") or {}
    if all((said.get(key) or None) == value for key, value in wanted.items()):
        return {}
    return {"spec": {"rollout": {"decision": wanted}}}


def check_decision(seen: Observed, decision: Decision) -> None:
    """FAILED_PRECONDITION if the operator would refuse ``decision``, in its words."""
    ruling = foresee(seen, decision)
    if ruling is not None and ruling.outcome == "Refused":
        raise refused(seen.performer.namespace, seen.performer.name, ruling.message)


def verdict(manifest: Manifest, decision: Decision) -> Mapping[str, Any] | None:
    """Return what the status says of ``decision``, None while nobody has looked at it."""
    found: Mapping[str, Any] = (manifest.get("status") or {}).get("decision") or {}
    seen = (found.get("action"), found.get("revision", ""), found.get("decidedForHash", ""))
    mine = (decision.action, decision.revision, decision.decided_for_hash)
    return found if seen == mine else None


def refused(namespace: str, name: str, message: str) -> HourglassError:
    """Return the error for a decision that the operator does not carry out."""
    return HourglassError(
        Code.FAILED_PRECONDITION,
        message,
        reason="DECISION_REFUSED",
        hint="ListRevisions shows the revisions that are kept and their roles",
        metadata={
            "resourceType": f"{GROUP}/Performer",
            "resourceName": f"{namespace}/{name}",
        },
    )
