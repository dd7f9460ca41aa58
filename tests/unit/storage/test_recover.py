from hourglass_executor.deployers.deployment import Artifact, DeploymentState
from hourglass_executor.storage.recover import (
    AdoptDeployment,
    ContinueDeployment,
    EndTask,
    RemoveDeployment,
    ResumeTask,
    recover_deployments,
    recover_tasks,
    wanted_anew,
)
from hourglass_executor.tasks.lifecycle import TaskState

from tests.support.executor_values import accepted, deployment, record


def test_a_task_that_nobody_saw_is_resumed() -> None:
    assert recover_tasks([accepted()]) == (ResumeTask(accepted()),)


def test_a_dispatched_task_has_an_unknown_outcome() -> None:
    (step,) = recover_tasks([accepted(state=TaskState.DISPATCHED)])
    assert isinstance(step, EndTask)
    assert step.end.state is TaskState.UNKNOWN
    assert step.end.error is not None
    assert step.end.error.reason == "TASK_OUTCOME_UNKNOWN"


def test_each_state_of_a_deployment_has_its_step() -> None:
    rows = [record(state.value, state) for state in DeploymentState]
    assert {type(step): step.record.state for step in recover_deployments(rows)} == {
        ContinueDeployment: DeploymentState.STAGED,
        AdoptDeployment: DeploymentState.IN_SERVICE,
        RemoveDeployment: DeploymentState.RETIRING,
    }


def test_a_configured_performer_that_runs_is_not_deployed_again() -> None:
    kept = record("kept", configured=True)
    assert wanted_anew([deployment("new", configured=True)], [kept]) == ()


def test_a_changed_configuration_is_deployed() -> None:
    changed = deployment(
        "new", configured=True, artifact=Artifact(registry="demo-performer", tag="v2")
    )
    assert wanted_anew([changed], [record("kept", configured=True)]) == (changed,)


def test_what_came_by_rpc_wins_over_the_file() -> None:
    by_rpc = record("kept", artifact=Artifact(registry="demo-performer", digest="sha256:1"))
    assert wanted_anew([deployment("new", configured=True)], [by_rpc]) == ()


def test_what_was_on_its_way_out_does_not_count() -> None:
    wanted = deployment("new", configured=True)
    going = record("kept", DeploymentState.RETIRING, configured=True)
    assert wanted_anew([wanted], [going]) == (wanted,)
