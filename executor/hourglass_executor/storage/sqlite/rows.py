"""Records and rows, into each other: bytes and states are columns, the rest is JSON."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Addressee
from hourglass_services.executor.port import (
    EnvironmentVariable,
    KeyReference,
    Submission,
    TaskResult,
)

from hourglass_executor.deployers.deployment import (
    Artifact,
    Deployment,
    DeploymentRecord,
    DeploymentState,
    Mode,
)
from hourglass_executor.tasks.lifecycle import Resolution, TaskError, TaskRecord, TaskState

Row = tuple[Any, ...]


def task_to_row(task: TaskRecord) -> Row:
    return (
        task.task_id,
        task.digest,
        task.state.value,
        _dump(_submission_fields(task.submission)),
        task.submission.payload,
        *_outcome(task),
        task.accepted_at.isoformat(),
        *_ending(task),
    )


# Fields of tasks are spelt out: dataclasses.asdict copies each value, in ten times as long.


def _submission_fields(given: Submission) -> dict[str, Any]:
    to = given.addressee
    return {
        "task_id": given.task_id,
        "aggregator_address": given.aggregator_address,
        "avs_address": given.avs_address,
        "signature": given.signature.hex(),
        "operator_set_id": given.operator_set_id,
        "reference_timestamp": given.reference_timestamp,
        "executor_address": given.executor_address,
        "task_block_number": given.task_block_number,
        "version": given.version,
        "addressee": None if to is None else {"role": to.role.value, "instance": to.instance},
    }


def _result_fields(result: TaskResult) -> dict[str, Any]:
    return {
        "task_id": result.task_id,
        "operator_address": result.operator_address,
        "result_signature": result.result_signature.hex(),
        "avs_address": result.avs_address,
        "operator_set_id": result.operator_set_id,
        "auth_signature": result.auth_signature.hex(),
        "version": result.version,
    }


def end_to_row(task: TaskRecord) -> Row:
    """Return what changes of an ended task's row, and its id: the columns of ``END_COLUMNS``."""
    return (task.state.value, *_outcome(task), *_ending(task), task.task_id)


END_COLUMNS = (
    "state = ?, payload = x'', result = ?, output = ?, error = ?, finished_at = ?, resolution = ?"
)


def _outcome(task: TaskRecord) -> Row:
    result, error = task.result, task.error
    return (
        None if result is None else _dump(_result_fields(result)),
        None if result is None else result.output,
        None if error is None else _dump({**asdict(error), "code": error.code.value}),
    )


def _ending(task: TaskRecord) -> Row:
    finished_at = task.finished_at.isoformat() if task.finished_at else None
    return (finished_at, None if task.resolution is None else _dump(asdict(task.resolution)))


def task_from_row(row: Row) -> TaskRecord:
    task_id, digest, state, submission, payload, *outcome = row
    result, output, error, accepted, finished, resolution = outcome
    fields = orjson.loads(submission)
    fields["signature"] = bytes.fromhex(fields["signature"])
    if (to := fields.pop("addressee", None)) is not None:
        fields["addressee"] = Addressee(Role(to["role"]), to["instance"])
    return TaskRecord(
        task_id=task_id,
        digest=digest,
        submission=Submission(**fields, payload=payload),
        state=TaskState(state),
        accepted_at=datetime.fromisoformat(accepted),
        result=_result(result, output) if result is not None else None,
        error=_error(error) if error is not None else None,
        finished_at=datetime.fromisoformat(finished) if finished else None,
        resolution=_resolution(resolution) if resolution is not None else None,
    )


def _result(text: str, output: bytes) -> TaskResult:
    fields = orjson.loads(text)
    for name in ("result_signature", "auth_signature"):
        fields[name] = bytes.fromhex(fields[name])
    return TaskResult(**fields, output=output)


def _resolution(text: str) -> Resolution:
    fields = orjson.loads(text)
    since = fields.pop("unknown_since")
    return Resolution(
        by=fields["by"],
        note=fields["note"],
        at=datetime.fromisoformat(fields["at"]),
        unknown_since=datetime.fromisoformat(since) if since else None,
    )


def _error(text: str) -> TaskError:
    fields = orjson.loads(text)
    code = Code(fields.pop("code"))
    return TaskError(code=code, **fields)


def deployment_to_row(record: DeploymentRecord) -> Row:
    deployment = asdict(record.deployment)
    deployment["mode"] = record.deployment.mode.value
    return (
        record.deployment.performer_id,
        record.deployment.avs,
        record.state.value,
        _dump(deployment),
        record.handle,
        record.created_at.isoformat(),
    )


def deployment_from_row(row: Row) -> DeploymentRecord:
    _, _, state, text, handle, created_at = row
    fields = orjson.loads(text)
    fields["mode"] = Mode(fields["mode"])
    fields["artifact"] = Artifact(**fields["artifact"])
    fields["environment"] = tuple(_variable(one) for one in fields["environment"])
    return DeploymentRecord(
        deployment=Deployment(**fields),
        state=DeploymentState(state),
        created_at=datetime.fromisoformat(created_at),
        handle=handle,
    )


def _variable(fields: dict[str, Any]) -> EnvironmentVariable:
    for name in ("secret", "config_map"):
        if fields[name] is not None:
            fields[name] = KeyReference(**fields[name])
    return EnvironmentVariable(**fields)


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
