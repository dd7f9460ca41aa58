"""What PerformerControl reads: the operator's own caches."""

from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.resources import Manifest

from .feed import Versions


@dataclass(frozen=True)
class Caches:
    """The reflectors that the operator runs anyway; without pods, revisions are not told.

    A performer is shown from the first three. ReplicaSets and the executors' drain Leases are read
    beside them where they are there; no watcher is told of their changes.
    """

    performers: Cache
    endpoint_slices: Cache
    pods: Cache | None = None
    replica_sets: Cache | None = None
    drain_leases: Cache | None = None

    def all(self) -> tuple[Cache, ...]:
        """Return those that a performer is shown from."""
        more = (self.pods,) if self.pods else ()
        return (self.performers, self.endpoint_slices, *more)

    def beside(self) -> tuple[Cache, ...]:
        """Return those that are read and not shown."""
        return tuple(cache for cache in (self.replica_sets, self.drain_leases) if cache)

    def versions(self) -> Versions:
        """The resourceVersions reached; 0 where one is being listed (again).

        The first number stands for what is followed: a token of other namespaces is not ours.
        """
        reached = (version for cache in self.all() for version in cache.versions)
        return (self.scope, *(int(v) if v.isdecimal() else 0 for v in reached))

    @cached_property
    def scope(self) -> int:
        return crc32(repr([cache.scopes for cache in self.all()]).encode())

    def pod(self, namespace: str, name: str) -> Manifest | None:
        return self.pods.objects.get((namespace, name)) if self.pods else None

    def unsynced(self) -> str:
        """Return the kinds that are not known as a whole: not listed yet, or being listed again."""
        return ", ".join(
            r.resource.plural for r in self.all() if not (r.is_synced and all(r.versions))
        )
