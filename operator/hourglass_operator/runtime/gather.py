"""Read what a plan looks at from the caches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hourglass_common.domain.performer import Performer, parse_performer
from hourglass_common.kube.objects import controller_of
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Change, Key

from hourglass_operator.planning.naming import (
    PERFORMER_LABEL,
    performer_of_service,
    replica_set_name,
    revision_of,
    service_name,
)
from hourglass_operator.planning.observed import Observed


@dataclass(slots=True)
class OwnerIndex:
    """The objects of one kind by the uid of their controller."""

    by_owner: dict[str, dict[Key, Manifest]] = field(default_factory=dict)

    def on_change(self, change: Change) -> None:
        if change.old is not None:
            owner = controller_of(change.old)
            known = self.by_owner.get(owner, {})
            known.pop(change.key, None)
            if not known:
                self.by_owner.pop(owner, None)
        if change.new is not None:
            self.by_owner.setdefault(controller_of(change.new), {})[change.key] = change.new

    def of(self, uid: str) -> Iterable[Manifest]:
        return self.by_owner.get(uid, {}).values()


class Caches:
    """The reflectors of the operator, indexed for gathering."""

    def __init__(
        self, performers: Reflector, replica_sets: Reflector, pods: Reflector, services: Reflector
    ) -> None:
        self.performers = performers
        self.replica_sets = replica_sets
        self.pods = pods
        self.services = services
        self._sets = OwnerIndex()
        self._pods = OwnerIndex()
        replica_sets.listen(self._sets.on_change)
        pods.listen(self._pods.on_change)

    def all(self) -> tuple[Reflector, ...]:
        return (self.performers, self.replica_sets, self.pods, self.services)

    def gather(self, key: Key, now: datetime) -> Observed | None:
        """Return what is known of a performer, None if it is gone.

        ValueError if its spec can not be read.
        """
        manifest = self.performers.objects.get(key)
        if manifest is None:
            return None
        performer = parse_performer(manifest)
        sets = tuple(self._sets.of(performer.uid))
        pods = tuple(pod for found in sets for pod in self._pods.of(str(found["metadata"]["uid"])))
        service = self.services.objects.get((performer.namespace, service_name(performer.name)))
        return Observed(
            performer=performer,
            replica_sets=sets,
            pods=pods,
            service=service if service and controller_of(service) == performer.uid else None,
            foreign=tuple(self._foreign(performer, service)),
            now=now,
        )

    def _foreign(self, performer: Performer, service: Manifest | None) -> Iterable[Manifest]:
        if service is not None and controller_of(service) != performer.uid:
            yield _with_kind(service, "Service")
        name = replica_set_name(performer.name, revision_of(performer.spec))
        found = self.replica_sets.objects.get((performer.namespace, name))
        if found is not None and controller_of(found) != performer.uid:
            yield _with_kind(found, "ReplicaSet")

    def performer_of(self, child: Manifest) -> Key | None:
        """Return the key of the performer that a ReplicaSet, pod or Service belongs to."""
        meta = child["metadata"]
        for reference in meta.get("ownerReferences") or ():
            if reference.get("kind") == "Performer" and reference.get("controller"):
                return meta.get("namespace", ""), reference["name"]
        labels: Mapping[str, str] = meta.get("labels") or {}
        # Somebody else's object may hold a name that a performer waits for: its going wakes it.
        name = labels.get(PERFORMER_LABEL) or performer_of_service(meta["name"])
        return (meta.get("namespace", ""), name) if name else None


def _with_kind(manifest: Manifest, kind: str) -> Manifest:
    return {**manifest, "kind": kind}  # items of a list come without their kind
