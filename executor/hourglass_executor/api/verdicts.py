"""What Explain says in one sentence. Pure."""

from collections.abc import Sequence

from hourglass_services.inspection.tasks import ExecutorTask, StepKind, TaskState, TaskStep


def of_task(task_id: str, task: ExecutorTask | None, steps: Sequence[TaskStep], place: int) -> str:
    """Say what became of a task, or keeps it."""
    if place:
        return f"task {task_id} waits for an instance, as number {place}: {_why(_last(steps))}"
    if task is not None and task.resolved is not None:
        said = task.resolved
        return f"task {task_id} {task.state.value}, says {said.resolved_by}: {said.note}"
    last = _last(steps)
    if task is None:
        if last is not None and last.kind is StepKind.REFUSED and last.failure is not None:
            return f"task {task_id} was refused: {last.failure.message}"
        return f"task {task_id} was not run, and is not kept"
    where = next((f" on {s.instance}" for s in reversed(steps) if s.kind is StepKind.SENT), "")
    match task.state:
        case TaskState.ACCEPTED:
            return f"task {task_id} is accepted, and no performer has it yet"
        case TaskState.DISPATCHED:
            return f"task {task_id} runs{where}"
        case TaskState.COMPLETED:
            return f"task {task_id} completed{where}"
        case TaskState.FAILED | TaskState.UNKNOWN:
            what = "failed" if task.state is TaskState.FAILED else "has an unknown outcome"
            text = f": {task.failure.message}" if task.failure else ""
            return f"task {task_id} {what}{where}{text}"


def of_avs(avs: str, foreseen: TaskStep, waiting: int) -> str:
    """Say what would become of a task that arrived now."""
    match foreseen.kind:
        case StepKind.SENT:
            return f"a task of {avs} would go to {foreseen.instance} ({foreseen.address})"
        case StepKind.REFUSED if foreseen.failure is not None:
            return f"a task of {avs} would be refused: {foreseen.failure.message}"
        case _:
            behind = f"behind {waiting} others" if waiting else "for the next free instance"
            return f"a task of {avs} would wait {behind}: {_why(foreseen)}"


def _last(steps: Sequence[TaskStep]) -> TaskStep | None:
    return steps[-1] if steps else None


def _why(step: TaskStep | None) -> str:
    if step is None:
        return "nothing is remembered of why"
    if not step.considered:
        return "there is no instance"
    return ", ".join(f"{each.instance} {each.skipped or 'free'}" for each in step.considered)
