"""The status to write, whether now or a little later, and the events that go with it. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from hourglass_common.kube.objects import condition

from .actions import Action, Report, WriteStatus
from .observed import Observed
from .reasons import WARNING, Note
from .receipts import notes_of
from .target import Ruling

Manifest = Mapping[str, Any]

SETTLE_SECONDS = 5.0
"""How long a status may lag where only the number of instances that are not ready changed."""

_COUNTS = frozenset({"replicas", "updatedReplicas", "podName", "revisions"})


def status_actions(
    seen: Observed, status: Manifest, ruling: Ruling | None
) -> tuple[list[Action], float | None]:
    """Return the writes that tell of ``status``, and the seconds after which to look again.

    A pod on its way to Ready changes counts that nobody waits for: they are told with the next
    change that matters, or when they have stood for a while. So an instance costs two writes.
    """
    before = seen.performer.status
    if status == before:
        return [], None
    if before and _essence(status) == _essence(before) and seen.status_age < SETTLE_SECONDS:
        return [], SETTLE_SECONDS - seen.status_age
    actions: list[Action] = [WriteStatus(status)]
    actions += _transitions(before, status)
    actions += [
        Report("Normal", note.value, message)
        for note, message in notes_of(before.get("receipts") or (), status.get("receipts") or ())
    ]
    if ruling is not None and ruling.note is Note.DECISION_REFUSED:
        actions.append(Report("Warning", Note.DECISION_REFUSED.value, ruling.message))
    return actions, None


def _essence(status: Manifest) -> dict[str, Any]:
    """Return the status without counts and sentences: what somebody may wait for."""
    found = {key: value for key, value in status.items() if key not in _COUNTS}
    found["conditions"] = [
        {key: value for key, value in each.items() if key != "message"}
        for each in status.get("conditions") or ()
    ]
    found["roles"] = [
        {key: value for key, value in each.items() if key != "replicas"}
        for each in status.get("revisions") or ()
    ]
    return found


def _transitions(before: Manifest, after: Manifest) -> list[Action]:
    """Return an event for a change of Ready's status or reason."""
    old = condition({"status": before}, "Ready") or {}
    new = condition({"status": after}, "Ready") or {}
    if (old.get("status"), old.get("reason")) == (new.get("status"), new.get("reason")):
        return []
    warning = new.get("reason") in {reason.value for reason in WARNING}
    bad = warning and new.get("status") != "True"
    kind: Literal["Normal", "Warning"] = "Warning" if bad else "Normal"
    return [Report(kind, str(new.get("reason")), str(new.get("message")))]
