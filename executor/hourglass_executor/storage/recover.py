"""What a starting executor does with what the one before it left. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from hourglass_executor.deployers.deployment import (
    Deployment,
    DeploymentRecord,
    DeploymentState,
)
from hourglass_executor.tasks.lifecycle import (
    ENDED,
    TaskEnd,
    TaskRecord,
    TaskState,
    lost_in_a_crash,
)


@dataclass(frozen=True, slots=True)
class ResumeTask:
    """No performer has seen it: execute it."""

    task: TaskRecord


@dataclass(frozen=True, slots=True)
class EndTask:
    """A performer may have run it: its outcome is unknown."""

    task_id: str
    end: TaskEnd


@dataclass(frozen=True, slots=True)
class AdoptDeployment:
    """It was in service: take it over as it runs."""

    record: DeploymentRecord


@dataclass(frozen=True, slots=True)
class ContinueDeployment:
    """Its deployment had begun: finish it, the performer in service serves on meanwhile."""

    record: DeploymentRecord


@dataclass(frozen=True, slots=True)
class RemoveDeployment:
    """It was on its way out, or is not wanted any more."""

    record: DeploymentRecord


Step = ResumeTask | EndTask | AdoptDeployment | ContinueDeployment | RemoveDeployment


def recover_tasks(tasks: Sequence[TaskRecord]) -> tuple[ResumeTask | EndTask, ...]:
    """Return one step for each task that has not ended."""
    return tuple(
        ResumeTask(task)
        if task.state is TaskState.ACCEPTED
        else EndTask(task.task_id, lost_in_a_crash(task.task_id))
        for task in tasks
        if task.state not in ENDED
    )


def recover_deployments(
    records: Sequence[DeploymentRecord],
) -> tuple[AdoptDeployment | ContinueDeployment | RemoveDeployment, ...]:
    """Return one step for each deployment that was kept."""
    steps: list[AdoptDeployment | ContinueDeployment | RemoveDeployment] = []
    for record in records:
        match record.state:
            case DeploymentState.IN_SERVICE:
                steps.append(AdoptDeployment(record))
            case DeploymentState.STAGED:
                steps.append(ContinueDeployment(record))
            case DeploymentState.RETIRING:
                steps.append(RemoveDeployment(record))
            case _:
                assert_never(record.state)
    return tuple(steps)


def wanted_anew(
    configured: Sequence[Deployment], records: Sequence[DeploymentRecord]
) -> tuple[Deployment, ...]:
    """Return the configured deployments that the kept ones do not already fulfil.

    An AVS whose kept deployment came by DeployArtifact keeps that one: it is newer than the file.
    """
    kept = [record.deployment for record in records if record.state is not DeploymentState.RETIRING]
    missing: list[Deployment] = []
    for wanted in configured:
        of_avs = [one for one in kept if one.avs == wanted.avs]
        if any(one.asks_for_the_same(wanted) or not one.configured for one in of_avs):
            continue
        missing.append(wanted)
    return tuple(missing)
