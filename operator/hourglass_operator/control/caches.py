"""What PerformerControl reads: the operator's own caches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.resources import Manifest

from .token import Versions


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
        return self._numbers(lambda cache: cache.versions)

    def listed(self) -> Versions:
        """The same of the last whole lists; 0 before the first."""
        return self._numbers(lambda cache: cache.listed)

    def newest(self) -> Versions:
        """The same of the newest object in each cache; 0 where there is none."""
        found = [0] * len(self.versions())
        found[0] = self.scope
        for cache in self.all():
            for (namespace, _), manifest in cache.objects.items():
                slot = self.slot(cache, namespace)
                found[slot] = max(found[slot], version_of(manifest))
        return tuple(found)

    def slot(self, cache: Cache, namespace: str) -> int:
        """Return which of the versions is that of ``cache`` in ``namespace``."""
        first, by_namespace = self._slots[id(cache)]
        return by_namespace.get(namespace, first)

    @cached_property
    def scope(self) -> int:
        return crc32(repr([cache.scopes for cache in self.all()]).encode())

    @cached_property
    def _slots(self) -> dict[int, tuple[int, dict[str, int]]]:
        found: dict[int, tuple[int, dict[str, int]]] = {}
        first = 1
        for cache in self.all():
            scopes = {scope: first + n for n, scope in enumerate(cache.scopes)}
            found[id(cache)] = first, scopes
            first += len(cache.scopes)
        return found

    def _numbers(self, of: Callable[[Cache], Iterable[str]]) -> Versions:
        told = (version for cache in self.all() for version in of(cache))
        return (self.scope, *(int(v) if v.isdecimal() else 0 for v in told))

    def pod(self, namespace: str, name: str) -> Manifest | None:
        return self.pods.objects.get((namespace, name)) if self.pods else None

    def unsynced(self) -> str:
        """Return the kinds that are not known as a whole: not listed yet, or being listed again."""
        return ", ".join(
            r.resource.plural for r in self.all() if not (r.is_synced and all(r.versions))
        )


def version_of(manifest: Manifest) -> int:
    """Return an object's resourceVersion, 0 where it has none."""
    version = str(manifest["metadata"].get("resourceVersion", ""))
    return int(version) if version.isdecimal() else 0
