"""Which instances of a performer are shown, and the part that each plays. Pure.

    in a slice of the Service             InService; Draining if it is on its way out
    in a slice of the staged Service      Staged, as long as it is not in the other
    in neither, and lives:
        marked, terminating, or fenced    Draining
        was in the Service before         Draining
        of a revision that drains         Draining, which a restart does not forget
        else                              not shown: it is on its way in

A slice is believed: an instance in it is shown before its pod is known here, without a revision.
Of those in none, the pod tells the address.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_common.kube.objects import (
    EndpointAddress,
    endpoints_of,
    grpc_target,
    is_over,
    is_pod_ready,
    is_terminating,
    labels,
)
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Key

from hourglass_operator.planning.naming import REVISION_LABEL, SERVING, SERVING_LABEL

_OUT = frozenset({Role.DRAINING.value, Role.RETIRED.value})
Pods = Mapping[str, Manifest]
"""The pods of one performer, by name."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One EndpointSlice: of the Service, or of the staged one."""

    name: str
    staged: bool
    addresses: tuple[EndpointAddress, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """What the EndpointSlices say of one performer, and which pods they said it of before."""

    pieces: tuple[Piece, ...] = ()
    left: frozenset[str] = frozenset()

    def of(self, *, staged: bool) -> tuple[EndpointAddress, ...]:
        found = {a for piece in self.pieces if piece.staged is staged for a in piece.addresses}
        return tuple(sorted(found, key=lambda e: (e.pod, e.address, e.port)))


NOBODY = Members()


def piece_of(name: str, manifest: Manifest, *, staged: bool) -> Piece:
    return Piece(name, staged, endpoints_of([manifest]))


def with_piece(
    members: Members, name: str, piece: Piece | None, lives: Callable[[str], bool]
) -> Members:
    """Return the members after the slice ``name`` has become ``piece``, None where it is gone."""
    pieces = tuple(each for each in members.pieces if each.name != name)
    if piece is not None:
        pieces = tuple(sorted((*pieces, piece), key=lambda each: each.name))
    before, after = _in_service(members.pieces), _in_service(pieces)
    left = [pod for pod in (members.left | before) - after if lives(pod)]
    return Members(pieces, frozenset(left) if left else NOBODY.left)


def without(members: Members, pod: str) -> Members:
    """Return the members after a pod is gone that was in the Service before."""
    return replace(members, left=(members.left - {pod}) or NOBODY.left)


def endpoints(key: Key, manifest: Manifest, members: Members, pods: Pods) -> tuple[Endpoint, ...]:
    """Return the endpoints of the performer ``key``, by instance."""
    shown = _Shown(f"{key[0]}/{key[1]}", manifest, members, pods)
    in_service = members.of(staged=False)
    named = {found.pod for found in in_service}
    staged = [found for found in members.of(staged=True) if found.pod not in named]
    named |= {found.pod for found in staged}
    return tuple(
        sorted(
            (
                *(shown.in_slice(found, Role.IN_SERVICE) for found in in_service),
                *(shown.in_slice(found, Role.STAGED) for found in staged),
                *shown.in_none(named),
            ),
            key=lambda endpoint: (endpoint.instance, endpoint.address),
        )
    )


def matters(old: Manifest | None, new: Manifest | None) -> bool:
    """Return whether a change of a pod may change what is shown of it."""
    return _face(old) != _face(new)


@dataclass(frozen=True, slots=True)
class _Shown:
    performer_id: str
    manifest: Manifest
    members: Members
    pods: Pods

    def in_slice(self, found: EndpointAddress, role: Role) -> Endpoint:
        pod = self.pods.get(found.pod)
        leaves = found.terminating or (pod is not None and _leaves(pod))
        if leaves or (role is Role.IN_SERVICE and _is_fenced(self.manifest)):
            role = Role.DRAINING
        return Endpoint(
            performer_id=self.performer_id,
            revision=_revision(pod) if pod is not None else "",
            instance=found.pod,
            address=found.target,
            role=role,
            ready=found.ready,
        )

    def in_none(self, named: Iterable[str]) -> Iterable[Endpoint]:
        """Yield the pods that live outside of every slice, and were in service before."""
        outside = {name: pod for name, pod in self.pods.items() if name not in named}
        if not outside:
            return
        roles = _roles(self.manifest)
        fenced = _is_fenced(self.manifest)
        for name, pod in outside.items():
            address = None if is_over(pod) else grpc_target(pod)
            role = roles.get(_revision(pod), "")
            out = (
                _leaves(pod)
                or name in self.members.left
                or role in _OUT
                or (fenced and role != Role.STAGED.value)
            )
            if address is not None and out:
                yield Endpoint(
                    performer_id=self.performer_id,
                    revision=_revision(pod),
                    instance=name,
                    address=address,
                    role=Role.DRAINING,
                    ready=is_pod_ready(pod),
                )


def _in_service(pieces: Iterable[Piece]) -> frozenset[str]:
    return frozenset(a.pod for piece in pieces if not piece.staged for a in piece.addresses)


def _leaves(pod: Manifest) -> bool:
    return is_terminating(pod) or labels(pod).get(SERVING_LABEL, SERVING) != SERVING


def _revision(pod: Manifest) -> str:
    return labels(pod).get(REVISION_LABEL, "")


def _roles(manifest: Manifest) -> dict[str, str]:
    """Return the role that the status gives each revision."""
    told = (manifest.get("status") or {}).get("revisions") or ()
    return {str(each.get("hash", "")): str(each.get("role", "")) for each in told}


def _is_fenced(manifest: Manifest) -> bool:
    """As ``planning.intent.wish_of`` has it."""
    said = (manifest.get("spec") or {}).get("fence")
    if said is None:
        said = ((manifest.get("status") or {}).get("intent") or {}).get("fence")
    return bool(said)


def _face(pod: Manifest | None) -> tuple[object, ...]:
    if pod is None:
        return ()
    return (_revision(pod), _leaves(pod), is_over(pod), is_pod_ready(pod), grpc_target(pod))
