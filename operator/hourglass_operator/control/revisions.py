"""The revisions of a performer as PerformerControl shows them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_services.control.port import RevisionView

from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.revision import (
    PROMOTED_AT,
    PROMOTED_BY,
    REJECTED_BY,
    Revision,
    in_service,
    newest_first,
    read_revisions,
)


def revisions_of(seen: Observed, endpoints: Sequence[Endpoint]) -> tuple[RevisionView, ...]:
    """Return them newest first, with the roles that the status gives."""
    revisions = read_revisions(seen.replica_sets, seen.pods)
    roles = role_by_hash(seen.performer.status, revisions)
    return tuple(
        _view(each, roles[each.hash], [e for e in endpoints if e.revision == each.hash])
        for each in newest_first(revisions, seen.revision)
    )


def role_by_hash(status: Mapping[str, Any], revisions: Sequence[Revision]) -> Mapping[str, Role]:
    """Return each revision's role: the status' word, or what its promotion says before there
    is one."""
    serving = in_service(revisions)
    found = {
        revision.hash: Role.IN_SERVICE
        if serving is not None and revision.hash == serving.hash
        else Role.STAGED
        for revision in revisions
    }
    known = {role.value: role for role in Role}
    for entry in status.get("revisions") or ():
        if entry.get("hash") in found and entry.get("role") in known:
            found[entry["hash"]] = known[entry["role"]]
    return found


def _view(revision: Revision, role: Role, endpoints: Sequence[Endpoint]) -> RevisionView:
    return RevisionView(
        hash=revision.hash,
        role=role,
        image=revision.image,
        replicas=revision.existing,
        ready_replicas=revision.ready,
        created=revision.created_at,
        in_service_since=revision.notes.get(PROMOTED_AT, ""),
        promoted_by=revision.notes.get(PROMOTED_BY, ""),
        rejected=revision.rejected,
        rejected_by=revision.notes.get(REJECTED_BY, ""),
        gate=revision.gate.state if revision.gate else "",
        replica_set=revision.name,
        endpoints=tuple(endpoints),
    )
