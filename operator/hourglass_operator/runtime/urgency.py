"""Which news a performer has to be looked at for at once, and which can wait. Pure.

What the operator made itself comes back by watch, and pods are born before anything is to be done
about them: looking at once, four times for each performer, is what a burst is slowed down by.
"""

from collections.abc import Mapping
from typing import Any

from hourglass_common.kube.objects import is_pod_ready
from hourglass_common.kube.resources import ENDPOINT_SLICES, LEASES, PERFORMERS, REPLICA_SETS
from hourglass_common.kube.watch_state import Change

Manifest = Mapping[str, Any]

LATER_SECONDS = 1.0
_ALWAYS = frozenset({ENDPOINT_SLICES.plural, LEASES.plural})


def can_wait(plural: str, change: Change) -> bool:
    """Return whether the change of an object of this kind can wait for ``LATER_SECONDS``."""
    if change.new is None or plural in _ALWAYS:
        return False
    if change.old is None:
        return plural != PERFORMERS.plural and not is_pod_ready(change.new)
    if plural == PERFORMERS.plural:
        return bool(_generation(change.old) == _generation(change.new))  # a status, or a label
    return plural == REPLICA_SETS.plural and _only_grew(change.old, change.new)


def _generation(manifest: Manifest) -> Any:
    return manifest["metadata"].get("generation")


def _only_grew(old: Manifest, new: Manifest) -> bool:
    """Return whether all that happened to a ReplicaSet is that more of its pods exist."""
    before, after = old.get("status") or {}, new.get("status") or {}
    same_but_for_count = (
        old.get("spec") == new.get("spec")
        and (old["metadata"].get("annotations") or {}) == (new["metadata"].get("annotations") or {})
        and {**before, "replicas": 0} == {**after, "replicas": 0}
    )
    return same_but_for_count and after.get("replicas", 0) >= before.get("replicas", 0)
