"""Rows of tasks spell their fields out: none may be left out."""

from dataclasses import fields, replace

import orjson
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.task import Addressee
from hourglass_executor.storage.sqlite.rows import task_from_row, task_to_row
from hourglass_executor.tasks.lifecycle import TaskRecord
from hourglass_services.executor.port import Submission, TaskResult

from tests.support.executor_values import MOMENT, accepted, completed


def ended() -> TaskRecord:
    given = accepted(addressee=Addressee(Role.STAGED, "a-1"), task_block_number=7)
    end = completed(given)
    return replace(given, state=end.state, result=end.result, finished_at=MOMENT)


def test_every_field_of_a_submission_and_a_result_is_in_the_row() -> None:
    _, _, _, submission, _, result, *_ = task_to_row(ended())
    assert {*orjson.loads(submission), "payload"} == {one.name for one in fields(Submission)}
    assert {*orjson.loads(result), "output"} == {one.name for one in fields(TaskResult)}


def test_a_row_gives_back_the_task_that_went_into_it() -> None:
    assert task_from_row(task_to_row(ended())) == ended()
