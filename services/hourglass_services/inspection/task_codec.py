"""The messages about tasks and the values of ``tasks``, into each other."""

from datetime import UTC, datetime, timedelta
from typing import Any

from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb
from hourglass_common.domain.endpoint import Role

from .tasks import (
    ConsideredEndpoint,
    ExecutorTask,
    Explanation,
    MissedSteps,
    Opened,
    Resolved,
    StepKind,
    TapEvent,
    TaskFailure,
    TaskPage,
    TaskResolution,
    TaskState,
    TaskStep,
)
from .words import ROLES, STATES, STEPS


def task_to_proto(task: ExecutorTask) -> pb.ExecutorTask:
    message = pb.ExecutorTask(
        task_id=task.task_id,
        avs_address=task.avs_address,
        aggregator_address=task.aggregator_address,
        operator_set_id=task.operator_set_id,
        reference_timestamp=task.reference_timestamp,
        state=STATES.number(task.state),
        failure=_failure_to_proto(task.failure),
        addressee=task.addressee,
        payload_size=task.payload_size,
        output_size=task.output_size,
        payload=task.payload,
        output=task.output,
    )
    _set(message.accepted_at, task.accepted_at)
    _set(message.finished_at, task.finished_at)
    if (said := task.resolved) is not None:
        message.resolved.resolved_by, message.resolved.note = said.resolved_by, said.note
        _set(message.resolved.resolved_at, said.resolved_at)
        _set(message.resolved.unknown_since, said.unknown_since)
    return message


def task_from_proto(message: pb.ExecutorTask) -> ExecutorTask:
    said = message.resolved
    return ExecutorTask(
        task_id=message.task_id,
        avs_address=message.avs_address,
        aggregator_address=message.aggregator_address,
        operator_set_id=message.operator_set_id,
        reference_timestamp=message.reference_timestamp,
        state=STATES.word(message.state, TaskState.UNKNOWN),
        accepted_at=message.accepted_at.ToDatetime(UTC),
        finished_at=_time(message, "finished_at"),
        failure=_failure(message),
        resolved=TaskResolution(
            resolved_by=said.resolved_by,
            note=said.note,
            resolved_at=said.resolved_at.ToDatetime(UTC),
            unknown_since=_time(said, "unknown_since"),
        )
        if message.HasField("resolved")
        else None,
        addressee=message.addressee,
        payload_size=message.payload_size,
        output_size=message.output_size,
        payload=message.payload,
        output=message.output,
    )


def page_to_proto(page: TaskPage) -> pb.ListTasksResponse:
    return pb.ListTasksResponse(
        tasks=map(task_to_proto, page.tasks), next_page_token=page.next_page_token
    )


def page_from_proto(message: pb.ListTasksResponse) -> TaskPage:
    return TaskPage(
        tasks=tuple(map(task_from_proto, message.tasks)), next_page_token=message.next_page_token
    )


def resolved_to_proto(said: Resolved) -> pb.Resolution:
    message = pb.Resolution(resolved_by=said.resolved_by, note=said.note)
    if said.output is None:
        message.failed = True
    else:
        message.output = said.output
    return message


def resolved_from_proto(message: pb.Resolution) -> Resolved:
    return Resolved(
        output=message.output if message.WhichOneof("outcome") == "output" else None,
        resolved_by=message.resolved_by,
        note=message.note,
    )


def step_to_proto(step: TaskStep) -> pb.TaskStep:
    message = pb.TaskStep(
        kind=STEPS.number(step.kind),
        task_id=step.task_id,
        avs_address=step.avs_address,
        performer_id=step.performer_id,
        instance=step.instance,
        address=step.address,
        considered=map(_considered_to_proto, step.considered),
        endpoints=step.endpoints,
        failure=_failure_to_proto(step.failure),
        lost=step.lost,
        state=pb.TASK_STATE_UNSPECIFIED if step.state is None else STATES.number(step.state),
    )
    _set(message.at, step.at)
    if step.took_seconds:
        message.took.FromTimedelta(timedelta(seconds=step.took_seconds))
    return message


def step_from_proto(message: pb.TaskStep) -> TaskStep:
    return TaskStep(
        kind=STEPS.word(message.kind, StepKind.WAITS),
        at=message.at.ToDatetime(UTC),
        task_id=message.task_id,
        avs_address=message.avs_address,
        performer_id=message.performer_id,
        instance=message.instance,
        address=message.address,
        considered=tuple(
            ConsideredEndpoint(
                performer_id=each.performer_id,
                instance=each.instance,
                address=each.address,
                role=ROLES.word(each.role, Role.RETIRED),
                skipped=each.skipped,
                in_flight=each.in_flight,
                latency_seconds=each.latency.ToTimedelta().total_seconds(),
            )
            for each in message.considered
        ),
        endpoints=message.endpoints,
        failure=_failure(message),
        lost=message.lost,
        took_seconds=message.took.ToTimedelta().total_seconds(),
        state=STATES.word(message.state, TaskState.UNKNOWN) if message.state else None,
    )


def explanation_to_proto(found: Explanation) -> pb.ExplainResponse:
    message = pb.ExplainResponse(
        verdict=found.verdict,
        steps=map(step_to_proto, found.steps),
        foreseen=None if found.foreseen is None else step_to_proto(found.foreseen),
        task=None if found.task is None else task_to_proto(found.task),
        waiting=found.waiting,
    )
    _set(message.remembered_since, found.remembered_since)
    return message


def explanation_from_proto(message: pb.ExplainResponse) -> Explanation:
    return Explanation(
        verdict=message.verdict,
        steps=tuple(map(step_from_proto, message.steps)),
        foreseen=step_from_proto(message.foreseen) if message.HasField("foreseen") else None,
        remembered_since=_time(message, "remembered_since"),
        task=task_from_proto(message.task) if message.HasField("task") else None,
        waiting=message.waiting,
    )


def event_to_proto(event: TapEvent) -> pb.TapResponse:
    match event:
        case Opened(buffer, rate):
            return pb.TapResponse(opened=pb.TapOpened(buffer=buffer, sample_rate=rate))
        case MissedSteps(steps):
            return pb.TapResponse(missed=pb.TapMissed(steps=steps))
        case TaskStep():
            return pb.TapResponse(step=step_to_proto(event))


def event_from_proto(message: pb.TapResponse) -> TapEvent | None:
    """Return the event; None for one that this client is too old to know."""
    match message.WhichOneof("event"):
        case "opened":
            return Opened(message.opened.buffer, message.opened.sample_rate)
        case "missed":
            return MissedSteps(message.missed.steps)
        case "step":
            return step_from_proto(message.step)
        case _:
            return None


def _considered_to_proto(each: ConsideredEndpoint) -> pb.ConsideredEndpoint:
    message = pb.ConsideredEndpoint(
        performer_id=each.performer_id,
        instance=each.instance,
        address=each.address,
        role=ROLES.number(each.role),
        skipped=each.skipped,
        in_flight=each.in_flight,
    )
    message.latency.FromTimedelta(timedelta(seconds=each.latency_seconds))
    return message


def _failure_to_proto(failure: TaskFailure | None) -> pb.TaskFailure | None:
    if failure is None:
        return None
    return pb.TaskFailure(
        code=failure.code, reason=failure.reason, message=failure.message, hint=failure.hint
    )


def _failure(message: pb.ExecutorTask | pb.TaskStep) -> TaskFailure | None:
    if not message.HasField("failure"):
        return None
    found = message.failure
    return TaskFailure(code=found.code, reason=found.reason, message=found.message, hint=found.hint)


def _set(timestamp: Any, moment: datetime | None) -> None:
    if moment is not None:
        timestamp.FromDatetime(moment)


def _time(message: Any, name: str) -> datetime | None:
    return getattr(message, name).ToDatetime(UTC) if message.HasField(name) else None
