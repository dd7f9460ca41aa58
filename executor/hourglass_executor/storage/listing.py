"""What is asked of a store for people's eyes: tasks by state and AVS, a page at a time. Pure."""

from dataclasses import dataclass, replace

from hourglass_executor.tasks.lifecycle import TaskRecord, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """``avs`` in lower case, "" for all; no ``states`` mean all."""

    avs: str = ""
    states: frozenset[TaskState] = frozenset()

    def wants(self, task: TaskRecord) -> bool:
        if self.states and task.state not in self.states:
            return False
        return self.avs in ("", task.submission.avs_address)


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks without payload and output, newest first; the next page is that ``before`` this
    number, 0 where there is none."""

    tasks: tuple[TaskRecord, ...]
    before: int = 0


def without_content(task: TaskRecord) -> TaskRecord:
    """Return ``task`` without its payload and its output."""
    result = None if task.result is None else replace(task.result, output=b"")
    return replace(task, submission=replace(task.submission, payload=b""), result=result)
