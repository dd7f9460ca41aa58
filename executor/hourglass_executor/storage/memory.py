"""A store that forgets everything with its process."""

from collections import Counter
from datetime import datetime

from hourglass_executor.deployers.deployment import DeploymentRecord
from hourglass_executor.tasks.lifecycle import ENDED, Resolution, TaskEnd, TaskRecord, TaskState

from .listing import TaskFilter, TaskPage, without_content
from .retention import Drop, Holdings, limit_of
from .rules import dispatched, finished, not_found, resolved

_SIZE_OF_THE_REST = 1000


class MemoryStore:
    """Implements ``Store``."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskRecord] = {}
        self._places: dict[str, int] = {}  # in the order of acceptance, as the tasks are
        self._last_place = 0
        self._deployments: dict[str, DeploymentRecord] = {}

    async def accept(self, task: TaskRecord) -> TaskRecord:
        if task.task_id not in self._tasks:
            self._last_place += 1
            self._tasks[task.task_id] = task
            self._places[task.task_id] = self._last_place
        return self._tasks[task.task_id]

    async def mark_dispatched(self, task_id: str) -> None:
        self._tasks[task_id] = dispatched(self._row(task_id))

    async def finish(self, task_id: str, end: TaskEnd, finished_at: datetime) -> None:
        self._tasks[task_id] = finished(self._row(task_id), end, finished_at)

    async def forget(self, task_id: str) -> None:
        self._tasks.pop(task_id, None)
        self._places.pop(task_id, None)

    async def resolve(self, task_id: str, end: TaskEnd, resolution: Resolution) -> TaskRecord:
        row = self._tasks[task_id] = resolved(self._row(task_id), end, resolution)
        return row

    async def list_tasks(self, wanted: TaskFilter, before: int, at_most: int) -> TaskPage:
        found: list[TaskRecord] = []
        place = 0
        for task_id, task in reversed(self._tasks.items()):
            if (before and self._places[task_id] >= before) or not wanted.wants(task):
                continue
            if len(found) == at_most:
                return TaskPage(tuple(found), place)
            found.append(without_content(task))
            place = self._places[task_id]
        return TaskPage(tuple(found))

    async def holdings(self) -> Holdings:
        states = Counter(row.state for row in self._tasks.values())
        return Holdings(
            ended=states[TaskState.COMPLETED] + states[TaskState.FAILED],
            unknown=states[TaskState.UNKNOWN],
            size=sum(map(_size, self._tasks.values())),
        )

    async def drop_ended(self, drop: Drop) -> int:
        going = [
            (row.finished_at, self._places[row.task_id], row.task_id)
            for row in self._tasks.values()
            if row.finished_at is not None and (limit := limit_of(row.state, drop))
            if row.finished_at < limit
        ]
        for _, _, task_id in sorted(going)[: drop.at_most]:
            await self.forget(task_id)
        return min(len(going), drop.at_most)

    async def task(self, task_id: str) -> TaskRecord | None:
        return self._tasks.get(task_id)

    async def unfinished(self) -> tuple[TaskRecord, ...]:
        return tuple(row for row in self._tasks.values() if row.state not in ENDED)

    async def put_deployment(self, record: DeploymentRecord, *, replaces: str = "") -> None:
        self._deployments.pop(replaces, None)
        self._deployments[record.deployment.performer_id] = record

    async def drop_deployment(self, performer_id: str) -> None:
        self._deployments.pop(performer_id, None)

    async def deployments(self) -> tuple[DeploymentRecord, ...]:
        return tuple(self._deployments.values())

    async def close(self) -> None:
        """Nothing to do."""

    def _row(self, task_id: str) -> TaskRecord:
        row = self._tasks.get(task_id)
        if row is None:
            raise not_found(task_id)
        return row


def _size(task: TaskRecord) -> int:
    output = 0 if task.result is None else len(task.result.output)
    return len(task.submission.payload) + output + _SIZE_OF_THE_REST
