"""Tasks, decisions and endpoints of the executor, as ExecutorInspection shows them. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from hourglass_common.domain.errors import HourglassError
from hourglass_services.inspection.port import BreakerState, EndpointHealth, ExecutorEndpoint
from hourglass_services.inspection.tasks import (
    ConsideredEndpoint,
    ExecutorTask,
    StepKind,
    TaskFailure,
    TaskResolution,
    TaskState,
    TaskStep,
)

from hourglass_executor.routing.decisions import Considered, Note, considered
from hourglass_executor.routing.foresight import Foresight
from hourglass_executor.routing.slot import EndpointView
from hourglass_executor.tasks.lifecycle import TaskError, TaskRecord

Wall = Callable[[float], datetime]
"""A time of the monotonic clock, as one of the calendar."""


def wall_times(wall: datetime, monotonic: float) -> Wall:
    """Return what turns times of a monotonic clock into the calendar's, given both now."""
    return lambda at: wall + timedelta(seconds=at - monotonic)


def endpoint(view: EndpointView, wall: Wall) -> ExecutorEndpoint:
    return ExecutorEndpoint(
        performer_id=view.performer_id,
        avs_address=view.avs,
        instance=view.instance,
        address=view.address,
        revision=view.revision,
        role=view.role,
        connected=view.connected,
        health=EndpointHealth(view.health.value),
        health_source=view.health_source,
        breaker=BreakerState(view.breaker),
        in_flight=view.in_flight,
        skipped=view.skipped.value if view.skipped else "",
        latency_seconds=view.latency_seconds,
        lost=view.lost,
        last_health_check=view.last_health_check,
        sent=view.sent,
        answered=view.answered,
        failed=view.failed,
        breaker_until=None if view.breaker_due_at is None else wall(view.breaker_due_at),
        connection=view.connection,
    )


def task(record: TaskRecord, *, content: bool = False) -> ExecutorTask:
    """Return a task; payload and output are left out but for their sizes, unless ``content``."""
    said, submission = record.resolution, record.submission
    output = b"" if record.result is None else record.result.output
    return ExecutorTask(
        task_id=record.task_id,
        avs_address=submission.avs_address,
        aggregator_address=submission.aggregator_address,
        operator_set_id=submission.operator_set_id,
        reference_timestamp=submission.reference_timestamp,
        state=TaskState(record.state.value),
        accepted_at=record.accepted_at,
        finished_at=record.finished_at,
        failure=None if record.error is None else failure_of(record.error),
        resolved=None
        if said is None
        else TaskResolution(
            resolved_by=said.by,
            note=said.note,
            resolved_at=said.at,
            unknown_since=said.unknown_since,
        ),
        addressee=str(submission.addressee or ""),
        payload_size=len(submission.payload),
        output_size=len(output),
        payload=submission.payload if content else b"",
        output=output if content else b"",
    )


def step(note: Note, wall: Wall, concurrency: int, *, endpoints: bool = True) -> TaskStep:
    """Return a step of a task, with the endpoints that were looked at unless not wanted."""
    performer_id, instance, address = note.endpoint or ("", "", "")
    failure = None
    if note.error is not None:
        failure = failure_of(note.error)
    elif note.code is not None:
        failure = TaskFailure(code=note.code.value)
    return TaskStep(
        kind=StepKind(note.step.value),
        at=wall(note.at),
        task_id=note.task_id,
        avs_address=note.avs,
        performer_id=performer_id,
        instance=instance,
        address=address,
        considered=_seen(considered(note, concurrency)) if endpoints else (),
        endpoints=note.total,
        failure=failure,
        lost=note.lost,
        took_seconds=note.seconds,
        state=TaskState(note.state) if note.state else None,
    )


def foreseen(found: Foresight, avs: str, now: datetime) -> TaskStep:
    to = found.endpoint
    return TaskStep(
        kind=StepKind(found.step.value),
        at=now,
        avs_address=avs,
        performer_id=to.performer_id if to else "",
        instance=to.instance if to else "",
        address=to.address if to else "",
        considered=_seen(found.considered),
        endpoints=len(found.considered),
        failure=None if found.error is None else failure_of(found.error),
    )


def refused(error: HourglassError, before: TaskStep) -> TaskStep:
    """Return ``before`` as a refusal: what refuses a task stands before the router."""
    return TaskStep(
        kind=StepKind.REFUSED,
        at=before.at,
        avs_address=before.avs_address,
        considered=before.considered,
        endpoints=before.endpoints,
        failure=failure_of(error),
    )


def failure_of(error: HourglassError | TaskError) -> TaskFailure:
    """Return an error, or what is kept of one."""
    return TaskFailure(
        code=error.code.value, reason=error.reason, message=error.message, hint=error.hint
    )


def _seen(found: Sequence[Considered]) -> tuple[ConsideredEndpoint, ...]:
    return tuple(
        ConsideredEndpoint(
            performer_id=each.endpoint.performer_id,
            instance=each.endpoint.instance,
            address=each.endpoint.address,
            role=each.endpoint.role,
            skipped=each.skipped.value if each.skipped else "",
            in_flight=each.in_flight,
            latency_seconds=each.latency_seconds,
        )
        for each in found
    )
