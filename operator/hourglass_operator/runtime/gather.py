"""Read what a plan looks at from the caches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from hourglass_common.domain.drain_report import DrainReport, reports_of
from hourglass_common.domain.performer import PerformerSpec, parse_performer
from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.objects import SERVICE_NAME, controller_of, endpoints_of, labels
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Change, Key

from hourglass_operator.planning.naming import (
    PERFORMER_LABEL,
    performer_of_service,
    replica_set_name,
    revision_of,
    service_name,
    staged_service_name,
)
from hourglass_operator.planning.observed import Defaults, Observed


@dataclass(slots=True)
class Index:
    """The objects of one kind by the uid of their controller, or by another mark of them."""

    by_mark: dict[str, dict[Key, Manifest]] = field(default_factory=dict)

    def put(self, mark: str, key: Key, manifest: Manifest) -> None:
        self.by_mark.setdefault(mark, {})[key] = manifest

    def drop(self, mark: str, key: Key) -> None:
        known = self.by_mark.get(mark, {})
        known.pop(key, None)
        if not known:
            self.by_mark.pop(mark, None)

    def of(self, mark: str) -> Iterable[Manifest]:
        return self.by_mark.get(mark, {}).values()

    def on_change(self, change: Change) -> None:
        """Follow a kind by controller."""
        if change.old is not None:
            self.drop(controller_of(change.old), change.key)
        if change.new is not None:
            self.put(controller_of(change.new), change.key, change.new)


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec that was read once: what it says, and the revision that it hashes to."""

    uid: str
    generation: int
    spec: PerformerSpec
    revision: str


class Caches:
    """The caches of the operator, indexed for gathering."""

    def __init__(
        self,
        *,
        performers: Cache,
        replica_sets: Cache,
        pods: Cache,
        services: Cache,
        network_policies: Cache,
        disruption_budgets: Cache,
        drain_leases: Cache,
        endpoint_slices: Cache,
        defaults: Defaults | None = None,
    ) -> None:
        self.performers = performers
        self.replica_sets = replica_sets
        self.pods = pods
        self.services = services
        self.network_policies = network_policies
        self.disruption_budgets = disruption_budgets
        self.drain_leases = drain_leases
        self.endpoint_slices = endpoint_slices
        self._defaults = defaults or Defaults()
        self._sets, self._pods = Index(), Index()
        self._staged = Index()
        self._leases: dict[Key, dict[Key, tuple[DrainReport, ...]]] = {}
        self._specs: dict[Key, Spec] = {}
        replica_sets.listen(self._sets.on_change)
        pods.listen(self._pods.on_change)
        drain_leases.listen(self._on_lease)
        endpoint_slices.listen(self._on_slice)

    def children(self) -> tuple[Cache, ...]:
        return (
            self.replica_sets,
            self.pods,
            self.services,
            self.network_policies,
            self.disruption_budgets,
            self.drain_leases,
            self.endpoint_slices,
        )

    def all(self) -> tuple[Cache, ...]:
        return (self.performers, *self.children())

    def forget(self, key: Key) -> None:
        """Drop what was kept of a performer that is gone."""
        self._specs.pop(key, None)

    def gather(self, key: Key, now: datetime, status_age: float = float("inf")) -> Observed | None:
        """Return what is known of a performer, None if it is gone.

        ``status_age`` is passed on. ValueError if its spec can not be read.
        """
        manifest = self.performers.objects.get(key)
        if manifest is None:
            return None
        read = self._spec(key, manifest)
        performer = parse_performer(manifest, read.spec)
        namespace, name = key
        owned = _Owned(performer.uid)
        service = self.services.objects.get((namespace, service_name(name)))
        staged = self.services.objects.get((namespace, staged_service_name(name)))
        policy = self.network_policies.objects.get((namespace, service_name(name)))
        budget = self.disruption_budgets.objects.get((namespace, service_name(name)))
        replica_set = self.replica_sets.objects.get(
            (namespace, replica_set_name(name, read.revision))
        )
        sets = tuple(self._sets.of(performer.uid))
        return Observed(
            performer=performer,
            revision=read.revision,
            replica_sets=sets,
            pods=tuple(pod for s in sets for pod in self._pods.of(str(s["metadata"]["uid"]))),
            service=owned.mine(service, "Service"),
            staged_service=owned.mine(
                staged, "Service", needed=read.spec.strategy.type == "BlueGreen"
            ),
            network_policy=owned.mine(policy, "NetworkPolicy"),
            disruption_budget=owned.mine(budget, "PodDisruptionBudget"),
            staged_endpoints=endpoints_of(self._staged.of(f"{namespace}/{name}")),
            foreign=tuple(owned.foreign(replica_set)),
            reports=tuple(r for found in self._leases.get(key, {}).values() for r in found),
            defaults=self._defaults,
            now=now,
            status_age=status_age,
        )

    def _spec(self, key: Key, manifest: Manifest) -> Spec:
        meta = manifest["metadata"]
        uid, generation = str(meta.get("uid", "")), int(meta.get("generation", 0))
        known = self._specs.get(key)
        if known is None or (known.uid, known.generation) != (uid, generation):
            spec = parse_performer(manifest).spec
            known = self._specs[key] = Spec(uid, generation, spec, revision_of(spec))
        return known

    def _on_slice(self, change: Change) -> None:
        """Follow the slices of staged Services: gates ask there."""
        for side in (change.old, change.new):
            name = labels(side).get(PERFORMER_LABEL, "") if side is not None else ""
            if side is None or labels(side).get(SERVICE_NAME) != staged_service_name(name):
                continue
            mark = f"{change.key[0]}/{name}"
            self._staged.drop(mark, change.key)
            if side is change.new:
                self._staged.put(mark, change.key, side)

    def _on_lease(self, change: Change) -> None:
        for side in (change.old, change.new):
            key = self.performer_of(side) if side is not None else None
            if key is None:
                continue
            known = self._leases.setdefault(key, {})
            known.pop(change.key, None)
            if side is change.new and side is not None:
                known[change.key] = reports_of(side)
            if not known:
                self._leases.pop(key)

    def performer_of(self, child: Manifest) -> Key | None:
        """Return the key of the performer that a child belongs to."""
        meta = child["metadata"]
        if SERVICE_NAME in labels(child):
            return self._of_staged(child)
        for reference in meta.get("ownerReferences") or ():
            if reference.get("kind") == "Performer" and reference.get("controller"):
                return meta.get("namespace", ""), reference["name"]
        # Somebody else's object may hold a name that a performer waits for: its going wakes it.
        name = labels(child).get(PERFORMER_LABEL) or performer_of_service(meta["name"])
        return (meta.get("namespace", ""), name) if name else None

    def _of_staged(self, piece: Manifest) -> Key | None:
        """Return whose staged Service an EndpointSlice belongs to; others concern no plan."""
        name = labels(piece).get(PERFORMER_LABEL, "")
        if labels(piece)[SERVICE_NAME] != staged_service_name(name):
            return None
        return piece["metadata"].get("namespace", ""), name


class _Owned:
    """Tells the performer's own objects from those of somebody else under the same names."""

    def __init__(self, uid: str) -> None:
        self._uid = uid
        self._foreign: list[Manifest] = []

    def mine(self, found: Manifest | None, kind: str, *, needed: bool = True) -> Manifest | None:
        if found is None or controller_of(found) == self._uid:
            return found
        if needed:
            self._foreign.append({**found, "kind": kind})  # items of a list come without it
        return None

    def foreign(self, replica_set: Manifest | None) -> Iterator[Manifest]:
        self.mine(replica_set, "ReplicaSet")
        yield from self._foreign
