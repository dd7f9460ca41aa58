"""The reconcile loop: changes wake the queue, workers gather, plan and perform."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.namespaces import Cache
from hourglass_common.kube.resources import PERFORMERS, Manifest, Resource
from hourglass_common.kube.watch_state import Change, Key
from hourglass_common.runtime.logs import get_logger

from hourglass_operator.planning.actions import (
    Action,
    Create,
    Report,
    RestoreReplicas,
    WriteStatus,
)
from hourglass_operator.planning.observed import Observed
from hourglass_operator.planning.plan import plan
from hourglass_operator.planning.reasons import Note, Reason
from hourglass_operator.planning.trouble import Trouble

from . import metrics
from .apply import Write, Writer, is_servers
from .events import EventRecorder
from .expectations import Expectations, Object
from .gather import Caches
from .performer_metrics import Rollouts
from .slim import is_same
from .urgency import LATER_SECONDS, can_wait
from .workqueue import WorkQueue

log = get_logger(__name__)

RESYNC_SECONDS = 600.0
UNSEEN_RECHECK_SECONDS = 1.0
REFUSED_RETRY_SECONDS = 30.0
RECONCILE_SECONDS = 60.0
RESTORE_RETRY_SECONDS = 10.0
LAG_SECONDS = 60.0
BURST_SECONDS = 2.0
"""After the last creation; what is new goes before what is merely not told yet."""

_ACTS = frozenset(note.value for note in Note)

Result = Literal["success", "requeue", "terminal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the API said, for good, of a performer's objects at one generation."""

    generation: int
    trouble: Trouble
    until: float


@dataclass(frozen=True, slots=True)
class Identity:
    """Who writes: whether this process leads now, and how it names itself in events."""

    name: str
    may_write: Callable[[], bool]


class Controller:
    """Reconciles performers while ``run`` runs; one worker at a time for each performer."""

    def __init__(
        self,
        client: KubeClient,
        caches: Caches,
        clock: Clock,
        rng: random.Random,
        identity: Identity,
        *,
        qps: float = 0.0,
    ) -> None:
        self._caches = caches
        self._clock = clock
        self._rng = rng
        self._queue: WorkQueue[Key] = WorkQueue("performer", clock, rng)
        self._expectations = Expectations()
        self._refusals: dict[Key, Refusal] = {}
        self._status_written: dict[Key, float] = {}
        self._deferred: set[Key] = set()
        self._burst_until = 0.0
        self._rollouts = Rollouts(clock)
        self.workers: list[asyncio.Task[None]] = []
        self._results = {
            result: metrics.RECONCILE_TOTAL.labels("performer", result)
            for result in metrics.RESULTS
        }
        self._errors = metrics.RECONCILE_ERRORS.labels("performer")
        self._seconds = metrics.RECONCILE_SECONDS.labels("performer")
        self._by_plural: dict[str, Cache] = {cache.resource.plural: cache for cache in caches.all()}
        self._writer = Writer(
            client, clock, may_write=identity.may_write, wrote=self._wrote, rng=rng, qps=qps
        )
        self._events = EventRecorder(
            client,
            clock,
            identity=identity.name,
            may_write=identity.may_write,
            busy=self._queue.is_busy,
        )
        caches.performers.listen(self._on_performer)
        for child in caches.children():
            child.listen(partial(self._on_child, child.resource.plural))

    async def run(self, workers: int) -> None:
        """Work until cancelled."""
        metrics.MAX_WORKERS.labels("performer").set(workers)
        async with asyncio.TaskGroup() as group:
            self.workers = [group.create_task(self._work()) for _ in range(workers)]
            group.create_task(self._resync())
            group.create_task(self._events.run())

    def _on_performer(self, change: Change) -> None:
        if change.new is None:
            self._expectations.forget(change.key)
            self._refusals.pop(change.key, None)
            self._status_written.pop(change.key, None)
            self._deferred.discard(change.key)
            self._caches.forget(change.key)
        self._rollouts.on_change(change)
        if not _is_no_news(change):
            self._wake(change.key, can_wait(PERFORMERS.plural, change))

    def _on_child(self, plural: str, change: Change) -> None:
        if _is_no_news(change):
            return
        sides = [side for side in (change.old, change.new) if side is not None]
        owners = {key for key in map(self._caches.performer_of, sides) if key is not None}
        for key in owners:
            if change.new is None:
                self._expectations.gone(key, (plural, *change.key))
            self._wake(key, can_wait(plural, change))

    def _wake(self, key: Key, later: bool) -> None:
        """Queue a performer: at once, too, where it only waits for the cache to catch up."""
        if later and key not in self._deferred:
            self._queue.add_after(key, LATER_SECONDS)
        else:
            self._deferred.discard(key)
            self._queue.add(key)

    def longest_work(self) -> float:
        """Return for how many seconds the oldest reconciliation goes on."""
        return self._queue.longest()

    async def _resync(self) -> None:
        """Look at everything once in a while: a cache can be wrong in ways that nobody sees."""
        while True:
            await asyncio.sleep(RESYNC_SECONDS * (1 + 0.2 * self._rng.random()))
            self.look_at_all()

    def look_at_all(self) -> None:
        """Queue every performer, those that wait after a failure too."""
        for key in tuple(self._caches.performers.objects):
            self._queue.add(key)

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            result: Result | Literal["error"] = "error"
            with self._seconds.time():
                try:
                    async with asyncio.timeout(RECONCILE_SECONDS):
                        result = await self._reconcile(key)
                    self._queue.done(key)
                except (HourglassError, TimeoutError) as error:
                    self._retry(key, error)
                except Exception as error:
                    delay = self._queue.failed(key)
                    log.error("reconcile failed", key=key, retry_in=delay, exc_info=error)
            self._results[result].inc()
            if result == "error":
                self._errors.inc()

    def _retry(self, key: Key, error: Exception) -> None:
        moved_on = isinstance(error, KubeError) and (
            error.is_conflict or error.is_not_found or error.is_already_exists
        )
        if is_servers(error):
            delay = self._queue.put_off(key)  # the writer itself waits for the server
        else:
            retry_after = error.retry_after if isinstance(error, HourglassError) else None
            delay = self._queue.failed(key, retry_after)
        level = log.debug if moved_on else log.warning
        level("reconcile will be tried again", key=key, retry_in=delay, error=str(error))

    async def _reconcile(self, key: Key) -> Result:
        now = self._clock.monotonic()
        if self._expectations.unseen(key, self._cached_version, now):
            self._deferred.add(key)
            self._queue.add_after(key, UNSEEN_RECHECK_SECONDS)
            return "requeue"
        try:
            seen = self._caches.gather(key, self._clock.wall(), self._status_age(key, now))
        except ValueError as error:
            log.error("performer can not be read", key=key, error=str(error))
            return "terminal"
        if seen is None:
            return "success"
        refused = self._refusals.get(key)
        if refused and (refused.generation != seen.performer.generation or now >= refused.until):
            self._refusals.pop(key)
            refused = None
        decided = plan(seen, refused.trouble if refused else None)
        try:
            await self._perform(key, seen, decided.actions)
        except _RefusedError as refusal:
            return self._refused(key, seen, refusal.error)
        if decided.requeue_after is not None:
            self._queue.add_after(key, decided.requeue_after)
        return "success"

    def _status_age(self, key: Key, now: float) -> float:
        """Return how old the status counts as: young while a burst goes on, but not for ever."""
        age = now - self._status_written.get(key, float("-inf"))
        return 0.0 if age < LAG_SECONDS and now < self._burst_until else age

    async def _perform(self, key: Key, seen: Observed, actions: Sequence[Action]) -> None:
        """Perform a plan in its order; creations, which come first, all at once."""
        creations = [action for action in actions if isinstance(action, Create)]
        if creations:
            self._burst_until = self._clock.monotonic() + BURST_SECONDS
        if len(creations) > 1:
            ends = await asyncio.gather(
                *(self._write(seen, creation) for creation in creations), return_exceptions=True
            )
            failures = [end for end in ends if isinstance(end, BaseException)]
            if failures:
                raise next((f for f in failures if isinstance(f, _RefusedError)), failures[0])
        for action in actions:
            if isinstance(action, Report):
                if action.reason in _ACTS:
                    metrics.ACTS.labels(action.reason).inc()
                self._events.record(seen.performer, action)
            elif (
                isinstance(action, RestoreReplicas) and self._clock.monotonic() < self._burst_until
            ):
                self._queue.add_after(key, RESTORE_RETRY_SECONDS)  # nobody is kept waiting for it
            elif not isinstance(action, Create) or len(creations) == 1:
                await self._write(seen, action)
                if isinstance(action, WriteStatus):
                    self._status_written[key] = self._clock.monotonic()

    async def _write(self, seen: Observed, action: Write) -> None:
        try:
            await self._writer.perform(seen.performer, action)
        except KubeError as error:
            if isinstance(action, WriteStatus) or not _is_final(error):
                raise  # a refusal of the status itself can not be shown there: back off
            raise _RefusedError(error) from error

    def _refused(self, key: Key, seen: Observed, error: KubeError) -> Result:
        """Remember what the API will not take, show it in the status, and try again slowly."""
        reason = (
            Reason.PODS_REFUSED if error.code is Code.PERMISSION_DENIED else Reason.INVALID_SPEC
        )
        self._refusals[key] = Refusal(
            generation=seen.performer.generation,
            trouble=Trouble(reason, error.explanation[:1024]),
            until=self._clock.monotonic() + REFUSED_RETRY_SECONDS,
        )
        log.warning("the API refuses a performer's objects", key=key, error=error.message)
        self._queue.add(key)
        self._queue.add_after(key, REFUSED_RETRY_SECONDS)
        return "terminal"

    def _wrote(self, resource: Resource, made: Manifest) -> None:
        meta = made["metadata"]
        owner = (
            (meta.get("namespace", ""), meta["name"])
            if resource.kind == "Performer"
            else self._caches.performer_of(made)
        )
        if owner is not None and meta.get("resourceVersion", "").isdecimal():
            what = (resource.plural, meta.get("namespace", ""), meta["name"])
            version = int(meta["resourceVersion"])
            self._expectations.expect(owner, what, version, self._clock.monotonic())

    def _cached_version(self, what: Object) -> int | None:
        plural, namespace, name = what
        found = self._by_plural[plural].objects.get((namespace, name))
        return int(found["metadata"]["resourceVersion"]) if found is not None else None


def _is_no_news(change: Change) -> bool:
    """Return whether only what no plan looks at has changed: kubelet alone writes much of that."""
    return change.old is not None and change.new is not None and is_same(change.old, change.new)


class _RefusedError(Exception):
    """The API will not take one of the objects, however often it is asked."""

    def __init__(self, error: KubeError) -> None:
        super().__init__(str(error))
        self.error = error


def _is_final(error: KubeError) -> bool:
    """Return whether asking the same again would be answered the same."""
    return error.http_status in (400, 403, 422) and error.status_reason != "Conflict"
