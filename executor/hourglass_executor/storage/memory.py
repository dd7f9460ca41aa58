"""A store that forgets everything with its process."""

from datetime import datetime

from hourglass_executor.deployers.deployment import DeploymentRecord
from hourglass_executor.tasks.lifecycle import ENDED, TaskEnd, TaskRecord

from .rules import dispatched, finished, not_found


class MemoryStore:
    """Implements ``Store``."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskRecord] = {}
        self._deployments: dict[str, DeploymentRecord] = {}

    async def accept(self, task: TaskRecord) -> TaskRecord:
        return self._tasks.setdefault(task.task_id, task)

    async def mark_dispatched(self, task_id: str) -> None:
        self._tasks[task_id] = dispatched(self._row(task_id))

    async def finish(self, task_id: str, end: TaskEnd, finished_at: datetime) -> None:
        self._tasks[task_id] = finished(self._row(task_id), end, finished_at)

    async def forget(self, task_id: str) -> None:
        self._tasks.pop(task_id, None)

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
