"""The caches of one kind in several namespaces, behind the face of one."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from .reflector import Reflector
from .resources import Manifest, Resource
from .watch_state import Change, Key


class Cache(Protocol):
    """What users of a cache need of it; ``Reflector`` and ``Reflectors`` both are one."""

    @property
    def resource(self) -> Resource: ...

    @property
    def objects(self) -> Mapping[Key, Manifest]: ...

    @property
    def scopes(self) -> tuple[str, ...]: ...

    @property
    def versions(self) -> tuple[str, ...]: ...

    @property
    def listed(self) -> tuple[str, ...]: ...

    @property
    def is_synced(self) -> bool: ...

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]: ...

    def age(self, now: float) -> float: ...

    async def wait_synced(self, timeout_seconds: float) -> None: ...

    async def run(self) -> None: ...


class Nothing:
    """The cache of a kind that is not followed: it is synced, and has no objects."""

    scopes: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    is_synced = True

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.objects: Mapping[Key, Manifest] = {}

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        return lambda: None

    def age(self, now: float) -> float:
        return 0.0

    async def wait_synced(self, timeout_seconds: float) -> None:
        return

    async def run(self) -> None:
        return


class Reflectors:
    """One reflector for each of several namespaces: nothing is asked about any other.

    ``versions`` are theirs, in the order of the namespaces' names; synced means that all are,
    and the age is that of the one that was proven followed longest ago.
    """

    def __init__(self, parts: Sequence[Reflector]) -> None:
        if not parts or any(part.namespace is None for part in parts):
            raise ValueError("each part follows a namespace of its own")
        self.resource = parts[0].resource
        self._parts = tuple(sorted(parts, key=lambda part: part.namespace or ""))
        self._objects = _Objects({part.namespace or "": part.objects for part in self._parts})

    @property
    def objects(self) -> Mapping[Key, Manifest]:
        return self._objects

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(scope for part in self._parts for scope in part.scopes)

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(part.version for part in self._parts)

    @property
    def listed(self) -> tuple[str, ...]:
        return tuple(listed for part in self._parts for listed in part.listed)

    @property
    def is_synced(self) -> bool:
        return all(part.is_synced for part in self._parts)

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        stops = [part.listen(on_change) for part in self._parts]

        def stop() -> None:
            for each in stops:
                each()

        return stop

    def age(self, now: float) -> float:
        return max(part.age(now) for part in self._parts)

    async def wait_synced(self, timeout_seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        for part in self._parts:
            await part.wait_synced(max(0.0, deadline - asyncio.get_running_loop().time()))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(part.run())


class _Objects(Mapping[Key, Manifest]):
    """The union of caches by namespace: a view, no copy."""

    def __init__(self, parts: Mapping[str, Mapping[Key, Manifest]]) -> None:
        self._parts = parts

    def __getitem__(self, key: Key) -> Manifest:
        return self._parts[key[0]][key]

    def __iter__(self) -> Iterator[Key]:
        return (key for part in self._parts.values() for key in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))
