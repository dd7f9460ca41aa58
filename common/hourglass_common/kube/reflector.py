"""A cache of one kind that follows the API server: the shell around ``watch_state``."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from .client import KubeClient
from .errors import KubeError
from .resources import Manifest, Resource
from .watch_state import (
    Broke,
    Change,
    Ended,
    EventRead,
    Input,
    Key,
    Listing,
    PageRead,
    TimeUp,
    Waiting,
    Watching,
    WatchState,
    advance,
    apply_change,
    key_of,
    sharing,
)

log = get_logger(__name__)

PAGE_SIZE = 100
WATCH_SECONDS = 50
IDLE_SECONDS = 55.0
"""The server ends a watch that is quiet for 50 s, with a bookmark: what is silent for longer is a
dead connection. So no cache is stale for a minute without knowing it."""


class Reflector:
    """Keeps ``objects`` true for one kind while ``run`` runs.

    ``on_change`` is called synchronously after each change of the cache, in order, and before
    ``synced`` is set for the first list; it must be quick and must not raise. A list that can
    not be made is never an empty cache: what was known stays.

    ``transform`` is given each object before it is kept, and returns what is kept of it: pure, and
    total for whatever the API serves. Name, namespace, uid and resourceVersion must stay.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        on_change: Callable[[Change], None] | None = None,
        transform: Callable[[Manifest], Manifest] | None = None,
        clock: Clock,
        rng: random.Random | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.synced = asyncio.Event()
        self.interrupted: Callable[[HourglassError], None] | None = None
        """Where set, told of each failure in place of the log."""
        self._client = client
        self._selector = label_selector
        self._listeners: list[Callable[[Change], None]] = [on_change] if on_change else []
        self._transform = transform
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311  jitter, not a secret
        self._idle_seconds = idle_seconds
        self._state = WatchState()
        self._cache: dict[Key, Manifest] = {}
        self._listed = ""
        self._proof = clock.monotonic()

    @property
    def objects(self) -> Mapping[Key, Manifest]:
        """The cache: (namespace, name) to object. Read only, and true only between awaits."""
        return self._cache

    @property
    def version(self) -> str:
        """The resourceVersion that the cache has reached, "" while it is being listed."""
        phase = self._state.phase
        return "" if isinstance(phase, Listing) else phase.version

    @property
    def versions(self) -> tuple[str, ...]:
        return (self.version,)

    @property
    def listed(self) -> tuple[str, ...]:
        """The resourceVersion of the last whole list, "" before: what came and went between it
        and the version before is not known."""
        return (self._listed,)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is followed, in words: the namespace, or "*" for all."""
        return (self.namespace or "*",)

    @property
    def is_synced(self) -> bool:
        """Whether the first list is in."""
        return self.synced.is_set()

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        """Add a listener; returns the function that takes it away."""
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def age(self, now: float) -> float:
        """Return the seconds since the server last proved that this cache is followed."""
        return now - self._proof

    async def wait_synced(self, timeout_seconds: float) -> None:
        """Return once the first list is in; UNAVAILABLE if it is not within the time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.synced.wait()
        except TimeoutError as exc:
            raise HourglassError(
                Code.UNAVAILABLE,
                f"{self.resource.plural} could not be listed within {timeout_seconds:g} s",
                hint="check that the Kubernetes API answers and that listing them is allowed",
            ) from exc

    async def run(self) -> None:
        """Follow the API server until cancelled."""
        while True:
            match self._state.phase:
                case Waiting(until=until):
                    await asyncio.sleep(max(0.0, until - self._clock.monotonic()))
                    self._feed(TimeUp())
                case Listing(continue_=continue_):
                    await self._list(continue_)
                case Watching(version=version):
                    await self._watch(version)

    async def _list(self, continue_: str) -> None:
        try:
            page = await self._client.list(
                self.resource,
                self.namespace,
                label_selector=self._selector,
                limit=PAGE_SIZE,
                continue_=continue_,
            )
        except HourglassError as error:
            self._broke(error)
            return
        items = page.items
        if self._transform is not None:
            items = tuple(map(self._transform, items))
        self._feed(PageRead(items, page.resource_version, page.continue_))

    async def _watch(self, version: str) -> None:
        events: AsyncIterator[Manifest] = self._client.watch(
            self.resource,
            self.namespace,
            resource_version=version,
            label_selector=self._selector,
            timeout_seconds=WATCH_SECONDS,
            idle_seconds=self._idle_seconds,
        )
        try:
            async with aclosing(events) as stream:  # type: ignore[type-var]
                async for event in stream:
                    self._feed(EventRead(self._kept(event)))
                    if not isinstance(self._state.phase, Watching):
                        return
        except HourglassError as error:
            self._broke(error)
            return
        self._feed(Ended())

    def _kept(self, event: Manifest) -> Manifest:
        if self._transform is None or event.get("type") not in ("ADDED", "MODIFIED"):
            return event
        new = self._transform(event["object"])
        return {**event, "object": sharing(self._cache.get(key_of(new)), new)}

    def _broke(self, error: HourglassError) -> None:
        gone = isinstance(error, KubeError) and error.is_gone
        self._feed(Broke(gone=gone, retry_after=error.retry_after), proof=False)
        if self.interrupted is not None:
            self.interrupted(error)
            return
        # One cut is everyday life: a server restarts, or a quiet watch has reached its idle time.
        say = log.info if self._state.failures == 1 else log.warning
        say("watch interrupted", resource=self.resource.plural, gone=gone, error=error.message)

    def _feed(self, read: Input, *, proof: bool = True) -> None:
        now = self._clock.monotonic()
        if proof and not isinstance(read, TimeUp):
            self._proof = now
        u = self._rng.random()
        self._state, changes = advance(self._state, self._cache, read, now=now, u=u)
        if isinstance(read, PageRead) and isinstance(self._state.phase, Watching):
            self._listed = self._state.phase.version
        for change in changes:
            apply_change(self._cache, change)
            for listener in tuple(self._listeners):
                listener(change)
        if self._state.synced:
            self.synced.set()
