"""The record of acts: who did what, when, from what to what, and what became of the tasks. Pure.

Promotions, aborts and rollbacks are read off the notes on the ReplicaSets, so that none is
missed whenever this process ends; changes of replicas, suspend and fence off the difference to
``status.intent``, which is written together with the receipt.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hourglass_common.domain.clock import rfc3339
from hourglass_common.domain.performer import Performer
from hourglass_common.domain.performer_status import UNKNOWN

from .drain import Drain
from .intent import Wish, who_set
from .reasons import Note, Reason
from .revision import (
    DRAINED_AT,
    PROMOTED_AT,
    PROMOTED_BY,
    PROMOTED_FOR,
    PROMOTED_FROM,
    REJECTED_AT,
    REJECTED_BY,
    REJECTED_FOR,
    Revision,
)

KEPT = 10
BY_SCALE = "unknown (by /scale)"
"""Kubernetes records who used /scale only where somebody owned the field before."""
Receipt = Mapping[str, Any]
_TAKE_OUT = frozenset({"Promote", "Rollback", "Suspend", "Fence"})
"""Acts that take instances out of service; to scale down does as well."""


def receipts_of(
    performer: Performer,
    wish: Wish,
    revisions: Sequence[Revision],
    drains: Sequence[Drain],
    now: datetime,
    *,
    draining: bool,
) -> list[dict[str, Any]]:
    """Return the receipts, newest first; ``draining`` while something is still being drained."""
    known = [dict(receipt) for receipt in performer.status.get("receipts") or ()]
    seen = {_key(receipt) for receipt in known}
    new = [r for r in (*_of_revisions(revisions), *_of_intent(performer, wish, now)) if r]
    new = [receipt for receipt in new if _key(receipt) not in seen]
    found = sorted([*new, *known], key=lambda receipt: str(receipt["when"]), reverse=True)[:KEPT]
    _account(found, drains, now, draining=draining)
    _recall(found, revisions)
    return found


def notes_of(before: Iterable[Receipt], after: Iterable[Receipt]) -> list[tuple[Note, str]]:
    """Return the events of the acts that ``after`` records and ``before`` does not."""
    old = {_key(receipt): receipt for receipt in before}
    found: list[tuple[Note, str]] = []
    for receipt in after:
        was = old.get(_key(receipt))
        if was is None:
            found.append((_NOTES[str(receipt["action"])], sentence(receipt)))
        if receipt.get("drained") and receipt.get("inFlight") and not (was or {}).get("drained"):
            found.append((Note.REVISION_DRAINED, _drained(receipt)))
    return found


def sentence(receipt: Receipt) -> str:
    """Return a receipt as one sentence."""
    action, who = str(receipt["action"]), receipt.get("who") or "somebody"
    change = f"from {receipt.get('from') or 'nothing'} to {receipt.get('to') or 'nothing'}"
    return f"{action} {change}, by {who}"


_NOTES = {
    "Promote": Note.PROMOTED,
    "Rollback": Note.REVISION_ROLLED_BACK,
    "Abort": Note.REVISION_ABORTED,
    "Suspend": Note.SUSPEND_REQUESTED,
    "Resume": Note.RESUMED,
    "Fence": Note.FENCE_REQUESTED,
    "Unfence": Note.UNFENCED,
    "Scale": Note.SCALED,
}


def _drained(receipt: Receipt) -> str:
    flying, lost = receipt.get("inFlight"), receipt.get("lost")
    what = receipt.get("from") or "was taken out"
    return f"what {what} held has ended: {flying} in flight, {lost} lost"


def _key(receipt: Receipt) -> tuple[str, str, str]:
    return str(receipt["action"]), str(receipt["when"]), str(receipt.get("to", ""))


def _of_revisions(revisions: Iterable[Revision]) -> Iterable[dict[str, Any]]:
    for revision in revisions:
        notes = revision.notes
        if notes.get(PROMOTED_AT) and notes.get(PROMOTED_FROM):
            yield _receipt(
                notes.get(PROMOTED_FOR) or "Promote",
                notes.get(PROMOTED_BY, ""),
                notes[PROMOTED_AT],
                notes[PROMOTED_FROM],
                revision.hash,
            )
        if revision.rejected == Reason.ABORTED.value and notes.get(REJECTED_AT):
            yield _receipt(
                "Abort",
                notes.get(REJECTED_BY, ""),
                notes[REJECTED_AT],
                revision.hash,
                notes.get(REJECTED_FOR, ""),
            )


def _of_intent(performer: Performer, wish: Wish, now: datetime) -> Iterable[dict[str, Any]]:
    before = performer.status.get("intent") or {}
    when = rfc3339(now)
    for key, on, off in (("suspend", "Suspend", "Resume"), ("fence", "Fence", "Unfence")):
        was, is_ = bool(before.get(key)), bool(wish.kept.get(key))
        if was != is_:
            words = {True: "true", False: "false"}
            who = who_set(performer, key)
            yield _receipt(on if is_ else off, who, when, words[was], words[is_])
    if performer.status and wish.kept.get("replicas") is not None:
        was_replicas = before.get("replicas")
        old = 1 if was_replicas is None else int(was_replicas)
        if old != wish.replicas:
            who = who_set(performer, "replicas") or BY_SCALE
            yield _receipt("Scale", who, when, str(old), str(wish.replicas))


def _receipt(action: str, who: str, when: str, from_: str, to: str) -> dict[str, Any]:
    found = {"action": action, "who": who[:253], "when": when, "from": from_, "to": to}
    return {key: value for key, value in found.items() if value}


def _account(
    receipts: list[dict[str, Any]], drains: Sequence[Drain], now: datetime, *, draining: bool
) -> None:
    """Write the figures of what drains into the newest act that took something out."""
    act = next((r for r in receipts if _takes_out(r)), None)
    if act is None or act.get("drained"):
        return
    if any(drain.over and not drain.known for drain in drains):
        act["inFlight"] = act["lost"] = UNKNOWN
    told = [drain for drain in drains if drain.known]
    if told and act.get("inFlight") != UNKNOWN:
        act["inFlight"] = str(max(_number(act.get("inFlight")), sum(d.in_flight for d in told)))
        act["lost"] = str(max(_number(act.get("lost")), sum(d.lost for d in told)))
    if draining or not (drains or act.get("inFlight")):
        return
    act.setdefault("inFlight", UNKNOWN)
    act.setdefault("lost", UNKNOWN)
    act["drained"] = rfc3339(now)


def _recall(receipts: list[dict[str, Any]], revisions: Sequence[Revision]) -> None:
    """Complete what the note of a drain's end says, where the process ended before it was told.

    The figures went with it: they are unknown.
    """
    drained_at = {revision.hash: revision.notes.get(DRAINED_AT, "") for revision in revisions}
    for receipt in receipts:  # the newest act of each revision comes first
        if receipt["action"] not in ("Promote", "Rollback"):
            continue
        drained = drained_at.pop(str(receipt.get("from", "")), "")
        if drained >= str(receipt["when"]) and not receipt.get("drained"):
            receipt.setdefault("inFlight", UNKNOWN)
            receipt.setdefault("lost", UNKNOWN)
            receipt["drained"] = drained


def _takes_out(receipt: Receipt) -> bool:
    if receipt["action"] == "Scale":
        return _number(receipt.get("to")) < _number(receipt.get("from"))
    return receipt["action"] in _TAKE_OUT


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() else 0
