"""What an executor remembers. Each method returns when what it wrote survives a power cut.

``memory`` keeps nothing and is for tests and development; ``sqlite`` is for everything else.
Any method may raise UNAVAILABLE (the disk is full or fails; nothing was written) and
RESOURCE_EXHAUSTED (too many writes wait).
"""

from datetime import datetime
from typing import Protocol

from hourglass_executor.deployers.deployment import DeploymentRecord
from hourglass_executor.tasks.lifecycle import Resolution, TaskEnd, TaskRecord

from .listing import TaskFilter, TaskPage
from .retention import Drop, Holdings


class Store(Protocol):
    """One executor's own; a cancelled call may have written or not."""

    async def accept(self, task: TaskRecord) -> TaskRecord:
        """Keep ``task`` unless its id is known; return the one that is kept under this id."""
        ...

    async def mark_dispatched(self, task_id: str) -> None:
        """Note that a performer may see it from now on. NOT_FOUND if it was never accepted;
        FAILED_PRECONDITION if it has ended."""
        ...

    async def finish(self, task_id: str, end: TaskEnd, finished_at: datetime) -> None:
        """Keep how it ended and drop its payload. NOT_FOUND if it was never accepted;
        FAILED_PRECONDITION if it has ended already: the first end stands, and all that can
        be added to it are the signatures of a result that was kept without."""
        ...

    async def forget(self, task_id: str) -> None:
        """Drop a task that no performer has started, so that its id can be used again."""
        ...

    async def task(self, task_id: str) -> TaskRecord | None:
        """Return what is known under this id."""
        ...

    async def resolve(self, task_id: str, end: TaskEnd, resolution: Resolution) -> TaskRecord:
        """Keep what somebody says of a task of unknown outcome, and return it; the first word
        stands. NOT_FOUND; FAILED_PRECONDITION if the outcome is known, or resolved otherwise."""
        ...

    async def list_tasks(self, wanted: TaskFilter, before: int, at_most: int) -> TaskPage:
        """Return a page of the tasks of ``wanted``, last accepted first; ``before`` 0 is the
        first page. Tasks that come and go meanwhile move nothing from one page to another."""
        ...

    async def holdings(self) -> Holdings:
        """Return how much there is of what may be dropped."""
        ...

    async def drop_ended(self, drop: Drop) -> int:
        """Forget ended tasks, the longest ended first, and return how many it were."""
        ...

    async def unfinished(self) -> tuple[TaskRecord, ...]:
        """Return the tasks that have not ended, oldest first."""
        ...

    async def put_deployment(self, record: DeploymentRecord, *, replaces: str = "") -> None:
        """Keep ``record`` under its performer id; in the same step drop ``replaces``."""
        ...

    async def drop_deployment(self, performer_id: str) -> None:
        """Forget it; nothing happens if it is not known."""
        ...

    async def deployments(self) -> tuple[DeploymentRecord, ...]:
        """Return all of them, oldest first."""
        ...

    async def close(self) -> None:
        """Finish what is being written; the store can not be used afterwards."""
        ...
