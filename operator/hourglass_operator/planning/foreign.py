"""Objects of somebody else under a name that the performer needs. Pure."""

from collections.abc import Mapping
from typing import Any

from hourglass_common.kube.objects import is_terminating

from .observed import Observed
from .reasons import Reason
from .trouble import Trouble

Manifest = Mapping[str, Any]


def name_taken(seen: Observed) -> Trouble | None:
    """Return whose object is in the way: a stranger's before one that is about to go."""
    for found in sorted(seen.foreign, key=lambda f: _is_leaving(f, seen.performer.name)):
        what = f"{found.get('kind', 'object')} {found['metadata']['name']}"
        if _is_leaving(found, seen.performer.name):
            return Trouble(Reason.NAME_LEAVING, f"{what} of a deleted object has to go first")
        hint = "delete it, or name the performer otherwise"
        return Trouble(Reason.NAME_TAKEN, f"{what} exists and belongs to somebody else; {hint}")
    return None


def _is_leaving(foreign: Manifest, performer: str) -> bool:
    """Return whether the object goes by itself: a deleted performer of the same name had it."""
    owners = foreign["metadata"].get("ownerReferences") or ()
    return is_terminating(foreign) or any(
        owner.get("kind") == "Performer" and owner.get("name") == performer for owner in owners
    )
