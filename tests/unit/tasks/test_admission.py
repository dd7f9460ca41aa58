from dataclasses import replace
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.tasks.admission import Join, Repeat, Run, admit
from hourglass_executor.tasks.lifecycle import TaskState
from hourglass_executor.tasks.messages import submission_digest

from tests.support.executor_values import OPERATOR, accepted, completed, failed, submission


def test_a_new_id_runs() -> None:
    assert admit(None, b"digest") == Run()


@pytest.mark.parametrize("state", [TaskState.ACCEPTED, TaskState.DISPATCHED])
def test_a_repeat_joins_the_running_execution(state: TaskState) -> None:
    task = accepted(state=state)
    assert admit(task, task.digest) == Join()


def test_a_repeat_of_a_completed_task_gets_the_first_result() -> None:
    task = accepted()
    done = replace(task, state=TaskState.COMPLETED, result=completed(task).result)
    assert admit(done, task.digest) == Repeat(done.result)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.UNKNOWN])
def test_a_repeat_of_an_unhappy_end_gets_the_same_error(state: TaskState) -> None:
    task = accepted()
    done = replace(task, state=state, error=failed(state).error)
    admission = admit(done, task.digest)
    assert isinstance(admission, Repeat)
    assert isinstance(admission.answer, HourglassError)
    assert admission.answer.message == "it broke"
    assert admission.answer.reason == "TASK_FAILED"


@pytest.mark.parametrize("state", list(TaskState))
def test_another_content_under_the_id_is_refused_and_shown_nothing(state: TaskState) -> None:
    task = accepted()
    known = replace(task, state=state, result=completed(task, b"secret").result)
    with pytest.raises(HourglassError) as refused:
        admit(known, b"other digest")
    assert refused.value.code is Code.ALREADY_EXISTS
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": b"0x5"},
        {"operator_set_id": 1},
        {"reference_timestamp": 2},
        {"task_block_number": 3},
        {"avs_address": "0x" + "1" * 40},
        {"aggregator_address": "0x" + "1" * 40},
    ],
)
def test_every_signed_field_is_in_the_digest(changes: dict[str, Any]) -> None:
    plain = submission_digest(submission(), OPERATOR)
    assert submission_digest(submission(**changes), OPERATOR) != plain
    assert submission_digest(submission(signature=b"other"), OPERATOR) == plain
