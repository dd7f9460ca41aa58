"""What is asked for: the spec's own words, else what was last asked for explicitly. Pure.

The absence of a field is never a wish: a manifest that is applied again without ``replicas``,
``suspend`` or ``fence`` changes none of them. What was said is kept in ``status.intent``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.performer import Performer
from hourglass_common.domain.tenancy import REQUESTED_BY as REQUESTED_BY

OPERATOR = "hourglass-operator"
CONTROL = "hourglass-control"


@dataclass(frozen=True, slots=True)
class Wish:
    """What holds now: instances wanted (0 while suspended), and the three words behind it."""

    replicas: int
    suspend: bool
    fence: bool
    kept: Mapping[str, Any]

    @property
    def instances(self) -> int:
        return 0 if self.suspend else self.replicas


def wish_of(performer: Performer) -> Wish:
    """Return what the performer asks for; ``kept`` is the ``status.intent`` to be written."""
    spec = performer.spec
    before = performer.status.get("intent") or {}
    said = {"replicas": spec.replicas, "suspend": spec.suspend, "fence": spec.fence}
    kept = {
        key: before.get(key) if value is None else value
        for key, value in said.items()
        if value is not None or before.get(key) is not None
    }
    replicas = kept.get("replicas")
    return Wish(
        replicas=1 if replicas is None else int(replicas),
        suspend=bool(kept.get("suspend")),
        fence=bool(kept.get("fence")),
        kept=kept,
    )


def who_set(performer: Performer, *path: str) -> str:
    """Return the field manager that last wrote ``spec.<path>``, "" if none is known.

    Where PerformerControl wrote it, the caller that it names is told as well.
    """
    owners = [
        entry
        for entry in performer.managed_fields
        if _owns((entry.get("fieldsV1") or {}).get("f:spec") or {}, path)
    ]
    owners.sort(key=lambda entry: str(entry.get("time", "")))
    if not owners:
        return ""
    manager = str(owners[-1].get("manager", ""))
    caller = performer.annotations.get(REQUESTED_BY, "")
    return f"{caller} by {manager}" if manager == CONTROL and caller else manager


def _owns(fields: Mapping[str, Any], path: Iterable[str]) -> bool:
    for step in path:
        below = fields.get(f"f:{step}")
        if below is None:
            return False
        fields = below
    return True
