"""What the bench sees of a namespace, by watch: the same for an operator and the bare client.

A moment is the machine's monotonic clock when the event was read.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.resources import PERFORMERS, PODS, Manifest, Resource

from tests.bench.operator_rig.performers import is_ready, owner_of

Key = tuple[str, str]
"""Plural and name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of a watch: ``kind`` is ADDED, MODIFIED or DELETED."""

    at: float
    kind: str
    plural: str
    name: str
    found: Manifest


class LateError(Exception):
    """What was waited for did not come true in time."""


class Countdown:
    """Things that have yet to be seen so many times; ``ended`` is when the last one was."""

    def __init__(self, what: str, wanted: dict[Key, int]) -> None:
        self.what = what
        self.ended = 0.0
        self._left = dict(wanted)
        self._done = asyncio.Event()
        if not wanted:
            self._done.set()

    def saw(self, key: Key, at: float) -> None:
        left = self._left.get(key, 0)
        if not left:
            return
        self.ended = at
        if left > 1:
            self._left[key] = left - 1
            return
        del self._left[key]
        if not self._left:
            self._done.set()

    async def wait(self, seconds: float) -> float:
        """Return the moment that the last thing was seen; LateError if that is not in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._done.wait()
        except TimeoutError:
            some = ", ".join("/".join(key) for key in list(self._left)[:3])
            raise LateError(
                f"{self.what}: {len(self._left)} not seen in {seconds:g} s ({some} ...)"
            ) from None
        return self.ended


@dataclass
class Observer:
    """``objects`` is what there is now; ``listeners`` are called with each event."""

    objects: dict[Key, Manifest] = field(default_factory=dict)
    listeners: list[Callable[[Seen], None]] = field(default_factory=list)

    def tell(self, seen: Seen) -> None:
        key = seen.plural, seen.name
        if seen.kind == "DELETED":
            self.objects.pop(key, None)
        else:
            self.objects[key] = seen.found
        for listener in tuple(self.listeners):
            listener(seen)

    def all(self, resource: Resource) -> list[Manifest]:
        return [found for key, found in self.objects.items() if key[0] == resource.plural]

    def children_of(self, names: Iterable[str], counts: dict[str, int]) -> Countdown:
        """Count down the children of these Performers, so many of each kind."""
        wanted = {(plural, name): n for name in names for plural, n in counts.items()}
        countdown = Countdown("children", wanted)

        def listener(seen: Seen) -> None:
            if seen.kind == "ADDED" and seen.plural in counts:
                countdown.saw((seen.plural, owner_of(seen.found)), seen.at)

        self.listeners.append(listener)
        return countdown

    def performers(
        self, names: Iterable[str], what: str, holds: Callable[[Manifest], bool]
    ) -> Countdown:
        """Count down the Performers for which ``holds`` has been true once, now or later."""
        wanted = {(PERFORMERS.plural, name): 1 for name in names}
        countdown = Countdown(what, wanted)

        def listener(seen: Seen) -> None:
            if seen.plural == PERFORMERS.plural and holds(seen.found):
                countdown.saw((seen.plural, seen.name), seen.at)

        for found in self.all(PERFORMERS):
            listener(Seen(time.monotonic(), "", PERFORMERS.plural, _name(found), found))
        self.listeners.append(listener)
        return countdown

    def first_status(self, names: Iterable[str]) -> Countdown:
        return self.performers(names, "first status", lambda found: bool(found.get("status")))

    def ready(self, names: Iterable[str]) -> Countdown:
        return self.performers(names, "CR Ready", is_ready)

    async def quiet(self, seconds: float = 1.0, within: float = 180.0) -> None:
        """Return once nothing was seen for so long; LateError if that is not in time."""
        last = time.monotonic()

        def listener(seen: Seen) -> None:
            nonlocal last
            last = seen.at

        self.listeners.append(listener)
        deadline = last + within
        try:
            while (left := last + seconds - time.monotonic()) > 0:
                if time.monotonic() > deadline:
                    raise LateError(f"never quiet for {seconds:g} s within {within:g} s")
                await asyncio.sleep(left)
        finally:
            self.listeners.remove(listener)

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """Return once ``holds``, asked after events; LateError if that is not in time."""
        changed = asyncio.Event()

        def listener(_: Seen) -> None:
            changed.set()

        self.listeners.append(listener)
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await changed.wait()
                    changed.clear()
                    await asyncio.sleep(0.01)  # many events, one look
        except TimeoutError:
            raise LateError(f"{what}: not within {seconds:g} s") from None
        finally:
            self.listeners.remove(listener)


@asynccontextmanager
async def observing(
    client: KubeClient, namespace: str, kinds: Iterable[Resource]
) -> AsyncIterator[Observer]:
    """Watch these kinds, Performers and pods in the namespace while the block runs."""
    observer = Observer()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_follow(client, namespace, resource, observer))
            for resource in dict.fromkeys((PERFORMERS, PODS, *kinds))
        ]
        try:
            yield observer
        finally:
            for task in tasks:
                task.cancel()


async def _follow(
    client: KubeClient, namespace: str, resource: Resource, observer: Observer
) -> None:
    page = await client.list(resource, namespace)
    now = time.monotonic()
    for item in page.items:
        observer.tell(Seen(now, "ADDED", resource.plural, _name(item), item))
    version = page.resource_version
    with suppress(asyncio.CancelledError):
        while True:  # a server ends a watch when it likes; it is taken up where it was
            async for event in client.watch(
                resource, namespace, resource_version=version, timeout_seconds=3600
            ):
                if event["type"] == "ERROR":
                    raise RuntimeError(f"watch {resource.plural}: {event['object']}")
                found = event["object"]
                version = found["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                seen = Seen(time.monotonic(), event["type"], resource.plural, _name(found), found)
                observer.tell(seen)


def _name(found: Manifest) -> str:
    return str(found["metadata"]["name"])
