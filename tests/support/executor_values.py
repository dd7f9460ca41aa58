"""Submissions, tasks, deployments and settings for the executor's tests."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hourglass_common.domain.errors import Code
from hourglass_executor.deployers.deployment import (
    Artifact,
    Deployment,
    DeploymentRecord,
    DeploymentState,
    Mode,
)
from hourglass_executor.settings import ExecutorSettings
from hourglass_executor.tasks.lifecycle import TaskEnd, TaskError, TaskRecord, TaskState
from hourglass_executor.tasks.messages import submission_digest
from hourglass_services.executor.port import EnvironmentVariable, Submission, TaskResult

KEY = "0x" + "01" * 32
OPERATOR = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
AGGREGATOR_KEY = "0x" + "02" * 32
AGGREGATOR = "0x5050a4f4b3f9338c3472dcc01a87c76a144b3c9c"
AVS = "0xdec0de0000000000000000000000000000000001"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def submission(number: int = 1, **changes: Any) -> Submission:
    return replace(
        Submission(
            task_id=f"0x{number:064x}",
            aggregator_address=AGGREGATOR,
            avs_address=AVS,
            payload=b"0x4",
            signature=b"unsigned",
            operator_set_id=0,
            reference_timestamp=1_700_000_000,
            executor_address=OPERATOR,
        ),
        **changes,
    )


def accepted(number: int = 1, state: TaskState = TaskState.ACCEPTED, **changes: Any) -> TaskRecord:
    given = submission(number, **changes)
    return TaskRecord(
        task_id=given.task_id,
        digest=submission_digest(given, OPERATOR),
        submission=given,
        state=state,
        accepted_at=MOMENT,
    )


def completed(task: TaskRecord, output: bytes = b"0x10") -> TaskEnd:
    return TaskEnd(
        state=TaskState.COMPLETED,
        result=TaskResult(
            task_id=task.task_id,
            operator_address=OPERATOR,
            output=output,
            result_signature=b"\x01\x02",
            avs_address=AVS,
            operator_set_id=0,
            auth_signature=b"\x03",
        ),
    )


def failed(state: TaskState = TaskState.FAILED) -> TaskEnd:
    return TaskEnd(
        state=state,
        error=TaskError(
            code=Code.INTERNAL,
            message="it broke",
            reason="TASK_FAILED",
            metadata={"a": "b"},
            retry_after=2.5,
        ),
    )


def deployment(performer_id: str = "performer-1", **changes: Any) -> Deployment:
    return replace(
        Deployment(
            performer_id=performer_id,
            avs=AVS,
            artifact=Artifact(registry="demo-performer", tag="v1"),
            mode=Mode.PROCESS,
            environment=(EnvironmentVariable(name="COLOUR", value="blue"),),
        ),
        **changes,
    )


def record(
    performer_id: str = "performer-1",
    state: DeploymentState = DeploymentState.IN_SERVICE,
    **changes: Any,
) -> DeploymentRecord:
    return DeploymentRecord(
        deployment=deployment(performer_id, **changes), state=state, created_at=MOMENT, handle="h"
    )


def configuration(data_dir: Path, **changes: Any) -> dict[str, Any]:
    """Return a configuration for process mode, with one demo performer and free ports."""
    return {
        "grpcPort": 0,
        "operator": {
            "address": OPERATOR,
            "operatorPrivateKey": {"privateKey": KEY},
            "signingKeys": {"ecdsa": {"privateKey": KEY}},
        },
        "processes": {"allow": True},
        "verification": "none",
        "dataDir": str(data_dir),
        "metrics": {"address": "0"},
        "avsPerformers": [
            {
                "image": {"repository": "demo-performer", "tag": "v1"},
                "avsAddress": AVS,
                "deploymentMode": "process",
            }
        ],
        **changes,
    }


def settings(data_dir: Path, **changes: Any) -> ExecutorSettings:
    return ExecutorSettings.model_validate(configuration(data_dir, **changes))
