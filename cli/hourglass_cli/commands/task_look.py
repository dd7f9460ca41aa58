"""``hourglass task get | list | resolve``: tasks as an executor keeps them."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from .executor_options import Where, looking_into


class LookFormat(StrEnum):
    """The values of ``-o``."""

    TABLE = "table"
    JSON = "json"


class State(StrEnum):
    """The states of a task."""

    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


Output = Annotated[LookFormat, typer.Option("--output", "-o", help="How to print.")]
TaskId = Annotated[str, typer.Argument(help="0x and 64 digits.")]
_COLUMNS = ("TASK", "STATE", "AVS", "ACCEPTED", "FINISHED", "REASON")


@looking_into
def get(
    where: Where,
    task_id: TaskId,
    content: Annotated[
        bool, typer.Option("--content", help="Show payload and output too.")
    ] = False,
    output: Output = LookFormat.TABLE,
) -> None:
    """Show one task as it is kept."""
    from hourglass_cli.executor_look import ask

    found = ask(where, lambda c, auth: c.get_task(task_id, content=content, auth=auth))
    _print_one(found, output)


@looking_into
def list_(
    where: Where,
    avs: Annotated[str, typer.Option(help="Only tasks of this AVS address.")] = "",
    state: Annotated[
        list[State] | None, typer.Option(help="Only tasks in this state; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    output: Output = LookFormat.TABLE,
) -> None:
    """List tasks, last accepted first."""
    from hourglass_services.inspection.tasks import TaskState

    from hourglass_cli.executor_look import ask
    from hourglass_cli.show.output import table
    from hourglass_cli.show.records import record

    states = [TaskState(each.value) for each in state or ()]
    page = ask(where, lambda c, auth: c.list_tasks(avs, states, page_size=limit, auth=auth))
    if output is LookFormat.JSON:
        print(json.dumps({"items": [record(_plain(each)) for each in page.tasks]}, indent=2))
    elif page.tasks:
        print(table(_COLUMNS, map(_row, page.tasks)))
    else:
        print("No tasks found.")


@looking_into
def resolve(
    where: Where,
    task_id: TaskId,
    by: Annotated[str, typer.Option(help="Who says so.")],
    note: Annotated[str, typer.Option(help="How it is known; callers see it on failure.")],
    failed: Annotated[bool, typer.Option("--failed", help="It brought no result.")] = False,
    result: Annotated[
        str | None,
        typer.Option(help="It completed with this output, as it stands; or @file."),
    ] = None,
    output: Output = LookFormat.TABLE,
) -> None:
    """Say what became of a task whose outcome is unknown: repeats get that answer."""
    if failed == (result is not None):
        raise typer.BadParameter("say what happened: --failed, or --result")
    from hourglass_services.inspection.tasks import Resolved

    from hourglass_cli.executor_look import ask
    from hourglass_cli.payload import read_payload

    said = Resolved(
        output=None if result is None else read_payload(result), resolved_by=by, note=note
    )
    _print_one(ask(where, lambda c, auth: c.resolve_task(task_id, said, auth=auth)), output)


def _print_one(task: Any, output: LookFormat) -> None:
    from hourglass_cli.show.records import record

    fields = record(_plain(task))
    if output is LookFormat.JSON:
        print(json.dumps(fields, indent=2))
        return
    for name, value in fields.items():
        shown = "; ".join(f"{k} {v}" for k, v in value.items()) if type(value) is dict else value
        print(f"{name}: {shown}")


def _plain(task: Any) -> Any:
    """Return ``task`` with its bytes as text."""
    from dataclasses import fields

    from hourglass_cli.payload import shown
    from hourglass_cli.show.records import record

    found = {each.name: getattr(task, each.name) for each in fields(task)}
    return {
        _camel(name): shown(value) if isinstance(value, bytes) else record(value)
        for name, value in found.items()
        if value not in (None, "", b"")
    }


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _row(task: Any) -> tuple[str, ...]:
    return (
        task.task_id,
        task.state.value,
        task.avs_address,
        f"{task.accepted_at:%Y-%m-%dT%H:%M:%SZ}",
        f"{task.finished_at:%Y-%m-%dT%H:%M:%SZ}" if task.finished_at else "",
        task.failure.reason or task.failure.code if task.failure else "",
    )
