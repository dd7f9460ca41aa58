"""ExecutorInspection: tasks, endpoints and decisions of this executor, as they are now."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.executor.port import AuthSignature
from hourglass_services.inspection.port import Endpoints
from hourglass_services.inspection.tasks import (
    ExecutorTask,
    Explanation,
    MissedSteps,
    Opened,
    Resolved,
    TapEvent,
    TaskPage,
    TaskState,
    TaskStep,
)

from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.routing.decisions import Note
from hourglass_executor.routing.tap import Missed, Tap
from hourglass_executor.storage.listing import TaskFilter
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.rules import not_found
from hourglass_executor.tasks.lifecycle import TaskState as StoredState

from . import shown, verdicts
from .challenge import Challenges
from .tasks import TaskService

DEFAULT_PAGE = 100
STEPS_OF_AN_AVS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TapLimits:
    """``watchers`` at a time, each with ``buffer`` steps that it has not read yet."""

    watchers: int = 8
    buffer: int = 1000


class Inspection:
    """Implements ``InspectionPort``."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        challenges: Challenges,
        operator_address: str,
        store: Store,
        tasks: TaskService,
        clock: Clock,
        limits: TapLimits | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._challenges = challenges
        self._operator = operator_address
        self._store = store
        self._tasks = tasks
        self._clock = clock
        self._limits = limits or TapLimits()

    def list_endpoints(self, avs_address: str, auth: AuthSignature | None) -> Endpoints:
        self._challenges.check(auth)
        avs = avs_address.lower()
        wall = self._wall()
        views = [view for view in self._dispatcher.snapshot() if avs in ("", view.avs)]
        views.sort(key=lambda each: (each.performer_id, each.instance, each.address))
        return Endpoints(
            operator_address=self._operator,
            endpoints=tuple(shown.endpoint(view, wall) for view in views),
            waiting={
                each: count
                for each, count in self._dispatcher.waiting().items()
                if count and avs in ("", each)
            },
        )

    async def get_task(
        self, task_id: str, *, content: bool, auth: AuthSignature | None
    ) -> ExecutorTask:
        self._challenges.check(auth)
        found = await self._store.task(task_id.lower())
        if found is None:
            raise not_found(task_id)
        return shown.task(found, content=content)

    async def list_tasks(
        self,
        avs_address: str,
        states: Collection[TaskState],
        page_size: int,
        page_token: str,
        auth: AuthSignature | None,
    ) -> TaskPage:
        self._challenges.check(auth)
        wanted = TaskFilter(
            avs=avs_address.lower(), states=frozenset(StoredState(each.value) for each in states)
        )
        page = await self._store.list_tasks(wanted, int(page_token or 0), page_size or DEFAULT_PAGE)
        return TaskPage(
            tasks=tuple(map(shown.task, page.tasks)),
            next_page_token=str(page.before) if page.before else "",
        )

    async def resolve_task(
        self, task_id: str, said: Resolved, auth: AuthSignature | None
    ) -> ExecutorTask:
        self._challenges.check(auth)
        return shown.task(await self._tasks.resolve(task_id.lower(), said))

    async def explain_task(self, task_id: str, auth: AuthSignature | None) -> Explanation:
        self._challenges.check(auth)
        task_id = task_id.lower()
        found = await self._store.task(task_id)
        log, wall = self._dispatcher.decisions, self._wall()
        steps = tuple(self._step(note, wall) for note in log.of_task(task_id))
        if found is None and not steps:
            raise not_found(task_id)
        task = None if found is None else shown.task(found)
        place = 0
        if found is not None:
            place = self._dispatcher.place_in_queue(found.submission.avs_address, task_id)
        since = log.since()
        return Explanation(
            verdict=verdicts.of_task(task_id, task, steps, place),
            steps=steps,
            remembered_since=None if since is None else wall(since),
            task=task,
            waiting=place,
        )

    def explain_avs(self, avs_address: str, auth: AuthSignature | None) -> Explanation:
        self._challenges.check(auth)
        avs = avs_address.lower()
        log, wall = self._dispatcher.decisions, self._wall()
        found = self._dispatcher.foresee(avs)
        step = shown.foreseen(found, avs, self._clock.wall())
        if (error := self._tasks.refuses(avs)) is not None:
            step = shown.refused(error, step)
        since = log.since()
        return Explanation(
            verdict=verdicts.of_avs(avs, step, found.waiting),
            steps=tuple(self._step(note, wall) for note in log.of_avs(avs, STEPS_OF_AN_AVS)),
            foreseen=step,
            remembered_since=None if since is None else wall(since),
            waiting=found.waiting,
        )

    async def tap(
        self, avs_address: str, sample_rate: float, auth: AuthSignature | None
    ) -> AsyncIterator[TapEvent]:
        self._challenges.check(auth)
        log = self._dispatcher.decisions
        if log.taps >= self._limits.watchers:
            raise HourglassError(
                Code.RESOURCE_EXHAUSTED,
                f"{log.taps} watchers follow the tasks, the most allowed",
                reason="TOO_MANY_TAPS",
                hint="end one of them, or raise inspection.taps",
                retry_after=1.0,
            )
        came = asyncio.Event()
        rate = sample_rate or 1.0
        tap: Tap[Note] = Tap(
            size=self._limits.buffer, avs=avs_address.lower(), rate=rate, wake=came.set
        )
        log.add_tap(tap)
        try:
            yield Opened(self._limits.buffer, rate)
            while True:
                came.clear()
                while (event := tap.take()) is not None:
                    yield self._event(event)
                await came.wait()
        finally:
            log.remove_tap(tap)

    def _event(self, event: Note | Missed) -> TapEvent:
        if isinstance(event, Missed):
            return MissedSteps(event.count)
        return self._step(event, self._wall(), endpoints=False)

    def _step(self, note: Note, wall: shown.Wall, *, endpoints: bool = True) -> TaskStep:
        return shown.step(note, wall, self._dispatcher.concurrency(note.avs), endpoints=endpoints)

    def _wall(self) -> shown.Wall:
        return shown.wall_times(self._clock.wall(), self._clock.monotonic())
