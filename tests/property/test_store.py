"""The store against a model, with crashes: a crash is a copy of the files, opened anew."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hourglass_common.domain.errors import HourglassError
from hourglass_executor.deployers.deployment import DeploymentRecord, DeploymentState
from hourglass_executor.storage.listing import TaskFilter, without_content
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.storage.retention import Drop
from hourglass_executor.storage.rules import resolved
from hourglass_executor.storage.sqlite.store import SqliteStore
from hourglass_executor.tasks.lifecycle import ENDED, Resolution, TaskRecord, TaskState
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.executor_values import MOMENT, accepted, completed, failed, record

T = TypeVar("T")
IDS = st.integers(1, 4)
MINUTES = st.integers(0, 3)
PERFORMERS = st.sampled_from(["a", "b", "c"])


class StoreMachine(RuleBasedStateMachine):
    """The model is two dictionaries; after every step the store must agree with them."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="store-"))
        self.runner = asyncio.Runner()
        self.crashes = 0
        self.tasks: dict[str, TaskRecord] = {}
        self.deployments: dict[str, DeploymentRecord] = {}

    def run_(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open_store(self) -> None:
        self.directory = self.root / "0"
        self.store = self.run_(SqliteStore.open(self.directory))
        self.memory = MemoryStore()  # which no crash touches: it must agree all the same

    @rule(number=IDS, payload=st.binary(max_size=8))
    def accept(self, number: int, payload: bytes) -> None:
        task = accepted(number, payload=payload)
        expected = self.tasks.setdefault(task.task_id, task)
        assert self.run_(self.store.accept(task)) == expected
        self.run_(self.memory.accept(task))

    @rule(number=IDS)
    def dispatch(self, number: int) -> None:
        task_id = accepted(number).task_id
        row = self.tasks.get(task_id)
        allowed = row is not None and row.state not in ENDED
        assert self._succeeds(self.store.mark_dispatched(task_id)) == allowed
        self._succeeds(self.memory.mark_dispatched(task_id))
        if row is not None and allowed:
            self.tasks[task_id] = replace(row, state=TaskState.DISPATCHED)

    @rule(number=IDS, well=st.booleans(), unknown=st.booleans(), minutes=MINUTES)
    def finish(self, number: int, well: bool, unknown: bool, minutes: int) -> None:
        task_id = accepted(number).task_id
        row = self.tasks.get(task_id)
        bad = failed(TaskState.UNKNOWN if unknown else TaskState.FAILED)
        end = completed(accepted(number)) if well else bad
        at = MOMENT + timedelta(minutes=minutes)
        allowed = row is not None and row.state not in ENDED
        assert self._succeeds(self.store.finish(task_id, end, at)) == allowed
        self._succeeds(self.memory.finish(task_id, end, at))
        if row is not None and allowed:
            self.tasks[task_id] = replace(
                row,
                state=end.state,
                result=end.result,
                error=end.error,
                finished_at=at,
                submission=replace(row.submission, payload=b""),
            )

    @rule(number=IDS)
    def forget(self, number: int) -> None:
        self.run_(self.store.forget(accepted(number).task_id))
        self.run_(self.memory.forget(accepted(number).task_id))
        self.tasks.pop(accepted(number).task_id, None)

    @rule(number=IDS, well=st.booleans(), minutes=MINUTES)
    def resolve(self, number: int, well: bool, minutes: int) -> None:
        task_id = accepted(number).task_id
        end = completed(accepted(number)) if well else failed()
        said = Resolution(by="ada", note="n", at=MOMENT + timedelta(minutes=minutes))
        done = self._succeeds(self.store.resolve(task_id, end, said))
        assert self._succeeds(self.memory.resolve(task_id, end, said)) == done
        row = self.tasks.get(task_id)
        if row is not None and row.state is TaskState.UNKNOWN:
            assert done
            self.tasks[task_id] = resolved(row, end, said)

    @rule(before=MINUTES, unknown=st.booleans(), at_most=st.integers(1, 4))
    def drop(self, before: int, unknown: bool, at_most: int) -> None:
        limit = MOMENT + timedelta(minutes=before)
        drop = Drop(ended_before=limit, at_most=at_most, unknown_before=limit if unknown else None)
        going = sorted(
            (row.finished_at, list(self.tasks).index(task_id), task_id)
            for task_id, row in self.tasks.items()
            if row.finished_at is not None and row.finished_at < limit
            if unknown or row.state is not TaskState.UNKNOWN
        )[:at_most]
        assert self.run_(self.store.drop_ended(drop)) == len(going)
        assert self.run_(self.memory.drop_ended(drop)) == len(going)
        for _, _, task_id in going:
            del self.tasks[task_id]

    @rule(name=PERFORMERS, state=st.sampled_from(DeploymentState), handle=st.text(max_size=3))
    def put(self, name: str, state: DeploymentState, handle: str) -> None:
        row = replace(record(name, state), handle=handle.replace("\0", ""))
        self.run_(self.store.put_deployment(row))
        self.deployments[name] = row

    @rule(name=PERFORMERS, old=PERFORMERS)
    def replace_one(self, name: str, old: str) -> None:
        self.run_(self.store.put_deployment(record(name), replaces=old))
        self.deployments.pop(old, None)
        self.deployments[name] = record(name)

    @rule()
    def crash(self) -> None:
        """Go on with the files as they are at this moment; the old process writes no more."""
        self.crashes += 1
        copy = self.root / str(self.crashes)
        shutil.copytree(self.directory, copy)
        self.run_(self.store.close())
        self.directory = copy
        self.store = self.run_(SqliteStore.open(copy))

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "store"):
            return
        for number in range(1, 5):
            task_id = accepted(number).task_id
            assert self.run_(self.store.task(task_id)) == self.tasks.get(task_id)
        listed = self.run_(self.store.list_tasks(TaskFilter(), 0, 10))
        assert listed.tasks == tuple(map(without_content, reversed(self.tasks.values())))
        assert self.run_(self.memory.list_tasks(TaskFilter(), 0, 10)).tasks == listed.tasks
        held, there = self.run_(self.store.holdings()), self.run_(self.memory.holdings())
        assert (held.ended, held.unknown) == (there.ended, there.unknown)
        unfinished = {row.task_id for row in self.run_(self.store.unfinished())}
        assert unfinished == {t for t, row in self.tasks.items() if row.state not in ENDED}
        found = {row.deployment.performer_id: row for row in self.run_(self.store.deployments())}
        assert found == self.deployments

    def _succeeds(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            self.run_(work)
        except HourglassError:
            return False
        return True

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run_(self.store.close())
        self.runner.close()
        shutil.rmtree(self.root)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=6, stateful_step_count=12, deadline=None)
