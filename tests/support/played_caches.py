"""The operator's caches, moved by hand along what has happened: each kind at its own pace."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hourglass_common.kube.resources import Manifest, Resource
from hourglass_common.kube.watch_state import Change, Key
from hourglass_operator.control.caches import Caches


@dataclass
class History:
    """All that ever happened to one kind: versions, keys and objects, None for a deletion."""

    resource: Resource
    events: list[tuple[int, Key, Manifest | None]] = field(default_factory=list)

    def there(self) -> dict[Key, Manifest]:
        found: dict[Key, Manifest] = {}
        for _, key, manifest in self.events:
            if manifest is None:
                found.pop(key, None)
            else:
                found[key] = manifest
        return found


@dataclass
class World:
    """Three kinds of objects under one counter of versions, as in one etcd."""

    histories: Mapping[str, History]
    version: int = 1000

    def put(self, plural: str, key: Key, manifest: dict[str, Any]) -> None:
        self.version += 1
        meta = {**manifest["metadata"], "namespace": key[0], "name": key[1]}
        there = self.histories[plural].there().get(key)
        uid = there["metadata"]["uid"] if there else f"uid-{self.version}"
        made = {**manifest, "metadata": {**meta, "uid": uid, "resourceVersion": str(self.version)}}
        self.histories[plural].events.append((self.version, key, made))

    def delete(self, plural: str, key: Key) -> None:
        if key in self.histories[plural].there():
            self.version += 1
            self.histories[plural].events.append((self.version, key, None))


class PlayedCache:
    """A cache of one kind that has read some of its history."""

    def __init__(self, world: World, plural: str) -> None:
        self._world = world
        self._history = world.histories[plural]
        self._listeners: list[Callable[[Change], None]] = []
        self._read = 0
        self._version = ""
        self._listed = ""
        self.resource = self._history.resource
        self.objects: dict[Key, Manifest] = {}
        self.scopes = ("*",)
        self.is_synced = True

    @property
    def versions(self) -> tuple[str, ...]:
        return (self._version,)

    @property
    def listed(self) -> tuple[str, ...]:
        return (self._listed,)

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def age(self, now: float) -> float:
        return now - now

    async def wait_synced(self, timeout_seconds: float) -> None:
        assert timeout_seconds >= 0

    async def run(self) -> None:
        raise AssertionError("it is moved by hand")

    def list(self) -> None:
        """Read all there is at once; what came and went in between is never seen."""
        self._read = len(self._history.events)
        self._version = self._listed = str(self._world.version)
        there = self._history.there()
        for key in [key for key in self.objects if key not in there]:
            self._tell(Change("deleted", key, self.objects.pop(key), None))
        for key, new in there.items():
            old = self.objects.get(key)
            if old is not new:
                self.objects[key] = new
                self._tell(Change("added" if old is None else "modified", key, old, new))

    def read(self, count: int) -> None:
        """Read the next events, as a watch brings them."""
        for version, key, new in self._history.events[self._read : self._read + count]:
            self._read += 1
            self._version = str(version)
            old = self.objects.pop(key, None)
            if new is not None:
                self.objects[key] = new
            if new is not None or old is not None:
                kind = "deleted" if new is None else "modified" if old else "added"
                self._tell(Change(kind, key, old, new))  # type: ignore[arg-type]

    def read_all(self) -> None:
        self.read(len(self._history.events))

    def _tell(self, change: Change) -> None:
        for listener in tuple(self._listeners):
            listener(change)


@dataclass(frozen=True)
class PlayedCaches:
    """One replica's caches, listed."""

    performers: PlayedCache
    slices: PlayedCache
    pods: PlayedCache

    @classmethod
    def of(cls, world: World) -> "PlayedCaches":
        made = cls(*(PlayedCache(world, plural) for plural in world.histories))
        for cache in made.all():
            cache.list()
        return made

    def all(self) -> tuple[PlayedCache, ...]:
        return (self.performers, self.slices, self.pods)

    def caches(self) -> Caches:
        return Caches(*self.all())


def performer(avs: str) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"avsAddress": avs}}


def endpoint_slice(name: str, pods: list[str], *, staged: bool = False) -> dict[str, Any]:
    labels = {
        "hourglass.eigenlayer.io/performer": name,
        "kubernetes.io/service-name": f"performer-{name}{'-staged' if staged else ''}",
    }
    return {
        "metadata": {"labels": labels},
        "ports": [{"name": "grpc", "port": 9090}],
        "endpoints": [
            {"addresses": ["10.0.0.1"], "targetRef": {"name": pod}} for pod in sorted(set(pods))
        ],
    }


def pod(name: str, *, revision: str, serving: bool) -> dict[str, Any]:
    labels = {
        "hourglass.eigenlayer.io/performer": name,
        "hourglass.eigenlayer.io/revision": revision,
        "hourglass.eigenlayer.io/serving": "true" if serving else "false",
    }
    port = {"name": "grpc", "containerPort": 9090}
    return {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"ports": [port]}]},
        "status": {"podIP": "10.0.0.1"},
    }
