"""ExecutorService: verify, accept durably, execute at most once, sign, answer.

An accepted task belongs to the executor: the caller's deadline and its leaving bound only its
wait, unless the AVS is configured with ``cancelOnDisconnect``.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeGuard, assert_never

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Addressee, Completed, Failed, OutcomeUnknown, Task
from hourglass_common.runtime.logs import bind_to_logs, get_logger
from hourglass_services.executor.port import Submission, TaskResult
from hourglass_services.inspection.tasks import Resolved
from hourglass_services.rpc.request_id import request_id

from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.signing.port import Verifier
from hourglass_executor.storage.port import Store
from hourglass_executor.storage.recover import EndTask, ResumeTask, recover_tasks
from hourglass_executor.storage.rules import not_found, only_unknown
from hourglass_executor.tasks.admission import Join, Repeat, Run, admit, reused_id
from hourglass_executor.tasks.lifecycle import (
    Resolution,
    TaskEnd,
    TaskRecord,
    TaskState,
    as_kept,
    caller_left,
    is_signed,
    may_start_anew,
    resolved_as_failed,
    unsuccessful_end,
)
from hourglass_executor.tasks.messages import submission_digest
from hourglass_executor.tasks.validation import validate_submission

from .results import Identity

log = get_logger(__name__)

DEFAULT_TASK_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AvsPolicy:
    """How the tasks of one AVS are run; ``task_timeout`` in seconds."""

    task_timeout: float = DEFAULT_TASK_TIMEOUT
    idempotent: bool = False
    cancel_on_disconnect: bool = False
    queue_when_none_ready: bool = True


@dataclass(frozen=True, slots=True)
class _Running:
    digest: bytes
    execution: asyncio.Task[TaskEnd]


class TaskService:
    """Implements ``ExecutorPort``; executions are tasks of ``group``, which the caller owns."""

    def __init__(
        self,
        *,
        identity: Identity,
        verifier: Verifier,
        store: Store,
        dispatcher: Dispatcher,
        is_served: Callable[[str], bool],
        policies: Mapping[str, AvsPolicy],
        clock: Clock,
        group: asyncio.TaskGroup,
    ) -> None:
        self._identity = identity
        self._verifier = verifier
        self._store = store
        self._dispatcher = dispatcher
        self._is_served = is_served
        self._policies = policies
        self._clock = clock
        self._group = group
        self._running: dict[str, _Running] = {}
        self._stopping = False

    async def submit(self, submission: Submission) -> TaskResult:
        validate_submission(submission)
        bind_to_logs(request_id=request_id.get(), task_id=_key(submission))
        submission = replace(submission, avs_address=submission.avs_address.lower())
        if submission.executor_address.lower() != self._identity.address.lower():
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                f"task executor address mismatch: expected {self._identity.address}, "
                f"got {submission.executor_address}",
                reason="EXECUTOR_MISMATCH",
            )
        self._verify(submission)
        digest = submission_digest(submission, self._identity.address)
        running = self._running.get(_key(submission))
        if running is None:
            known = await self._store.task(_key(submission))
            # Another caller of the same task may have begun it while the store was asked.
            running = self._running.get(_key(submission))
            if running is None:
                match admit(known, digest):
                    case Repeat(answer) if known is not None and _is_unsigned(answer):
                        running = self._register(known, self._sign_kept(known, answer))
                    case Repeat(answer):
                        log.info("repeated task answered again", task_id=submission.task_id)
                        return _result_of(answer)
                    case Join():
                        raise _not_kept(submission.task_id)
                    case Run():
                        running = self._begin(submission, digest)
                    case admission:
                        assert_never(admission)
        if running.digest != digest:
            raise reused_id(submission.task_id)
        end = await self._wait_for(running.execution, submission.avs_address)
        if end.result is not None:
            return end.result
        assert end.error is not None
        raise end.error.as_error()

    async def recover(self) -> None:
        """End or resume what the executor before this one left unfinished."""
        for step in recover_tasks(await self._store.unfinished()):
            match step:
                case EndTask(task_id, end):
                    log.warning("task outcome unknown after a restart", task_id=task_id)
                    await self._store.finish(task_id, end, self._clock.wall())
                case ResumeTask(task):
                    log.info("task resumed after a restart", task_id=task.task_id)
                    self._start(task, accepted=True)
                case _:
                    assert_never(step)

    async def stop(self, grace_seconds: float) -> int:
        """Refuse new tasks and give running ones the grace; return how many are left."""
        self._stopping = True
        running = tuple(one.execution for one in self._running.values())
        if running:
            await asyncio.wait(running, timeout=grace_seconds)
        for execution in running:
            execution.cancel()
        return len(self._running)

    @property
    def in_flight(self) -> int:
        return len(self._running)

    async def resolve(self, task_id: str, said: Resolved) -> TaskRecord:
        """Close a task whose outcome is unknown; errors as ``Store.resolve``."""
        record = await self._store.task(task_id)
        if record is None:
            raise not_found(task_id)
        only_unknown(record)
        by_hand = Resolution(by=said.resolved_by, note=said.note, at=self._clock.wall())
        if said.output is None:
            end = resolved_as_failed(task_id, by_hand)
        else:
            bare = self._identity.unsigned(record.submission, said.output)
            result = await self._identity.signed(record.submission, bare)
            end = TaskEnd(state=TaskState.COMPLETED, result=result)
        record = await self._store.resolve(task_id, end, by_hand)
        log.warning(
            "task resolved by hand", task_id=task_id, state=end.state.value, by=said.resolved_by
        )
        return record

    def _begin(self, submission: Submission, digest: bytes) -> "_Running":
        try:
            usable = self._refuse_unless_served(submission.avs_address, submission.addressee)
        except HourglassError as error:
            self._note_refusal(submission, error)
            raise
        record = TaskRecord(
            task_id=_key(submission),
            digest=digest,
            submission=submission,
            # Where it goes out at once, the note that it does is part of the same commit.
            state=TaskState.DISPATCHED if usable else TaskState.ACCEPTED,
            accepted_at=self._clock.wall(),
        )
        return self._start(record, accepted=False)

    def _start(self, task: TaskRecord, *, accepted: bool) -> "_Running":
        return self._register(task, self._execute(task, accepted=accepted))

    def _register(self, task: TaskRecord, work: Coroutine[Any, Any, TaskEnd]) -> "_Running":
        """Have ``work`` done; until then whoever submits the task again waits for it."""
        execution = self._group.create_task(work)
        running = self._running[task.task_id] = _Running(task.digest, execution)
        execution.add_done_callback(lambda _: self._running.pop(task.task_id, None))
        return running

    async def _wait_for(self, execution: asyncio.Task[TaskEnd], avs: str) -> TaskEnd:
        try:
            return await asyncio.shield(execution)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():  # the caller left
                if self._policy(avs).cancel_on_disconnect:
                    execution.cancel()
                raise
            raise HourglassError(
                Code.UNAVAILABLE,
                "the executor is stopping",
                reason="EXECUTOR_STOPPING",
                hint="send the task again under the same id: it is answered once",
                retry_after=1.0,
            ) from None

    async def _execute(self, task: TaskRecord, *, accepted: bool) -> TaskEnd:
        """Accept a task and run it to its end; never raises but for cancellation."""
        try:
            kept = task if accepted else await self._store.accept(task)
            if kept is not task:  # it ended between the look at the store and now
                return await self._end_of(kept, task.digest)
            end = await self._run(task)
        except HourglassError as error:  # the store failed: nothing more can be kept about it
            log.error("task not kept", task_id=task.task_id, error=error.message)
            return TaskEnd(state=TaskState.FAILED, error=as_kept(error))
        except asyncio.CancelledError:
            if not self._stopping:  # its caller left, and the AVS wants it to end with that
                end = TaskEnd(state=TaskState.UNKNOWN, error=caller_left(task.task_id))
                await self._finish_if_possible(task.task_id, end)
            raise
        log.info(
            "task ended",
            task_id=task.task_id,
            avs=task.submission.avs_address,
            state=end.state.value,
            reason=end.error.reason if end.error else "",
        )
        self._dispatcher.decisions.finished(
            task.task_id,
            task.submission.avs_address,
            end.state.value,
            (self._clock.wall() - task.accepted_at).total_seconds(),
            self._clock.monotonic(),
        )
        return end

    async def _sign_kept(self, kept: TaskRecord, result: TaskResult) -> TaskEnd:
        """Sign what was kept without; never raises but for cancellation."""
        try:
            return await self._signed(kept, result)
        except HourglassError as error:
            log.error("signatures not kept", task_id=kept.task_id, error=error.message)
            return TaskEnd(state=TaskState.FAILED, error=as_kept(error))

    async def _finish_if_possible(self, task_id: str, end: TaskEnd) -> None:
        try:
            await self._store.finish(task_id, end, self._clock.wall())
        except HourglassError as error:  # its result is kept already, or the disk is full
            log.warning("end of a cancelled task not kept", task_id=task_id, error=error.message)

    async def _end_of(self, kept: TaskRecord, digest: bytes) -> TaskEnd:
        """Return how the task that is kept ended, its result signed if it was not before."""
        match admit(kept, digest):
            case Repeat(answer) if isinstance(answer, TaskResult):
                if is_signed(answer):
                    return TaskEnd(state=kept.state, result=answer)
                return await self._signed(kept, answer)
            case Repeat():
                return TaskEnd(state=kept.state, error=kept.error)
            case Run() | Join():
                raise _not_kept(kept.task_id)
            case admission:
                assert_never(admission)

    async def _run(self, task: TaskRecord) -> TaskEnd:
        submission = task.submission
        policy = self._policy(submission.avs_address)
        noted = task.state is TaskState.DISPATCHED
        outcome = await self._dispatcher.execute(
            Task(
                task_id=submission.task_id,
                avs=submission.avs_address,
                payload=submission.payload,
                addressee=submission.addressee,
                idempotent=policy.idempotent,
            ),
            self._clock.monotonic() + policy.task_timeout,
            # While it waits for an instance it is only accepted: after a crash it is resumed.
            None if noted else partial(self._store.mark_dispatched, task.task_id),
        )
        match outcome:
            case Completed(output, _):
                return await self._completed(task, output)
            case Failed() | OutcomeUnknown():
                end = unsuccessful_end(outcome)
            case _:
                assert_never(outcome)
        if may_start_anew(outcome):
            await self._store.forget(task.task_id)
        else:
            await self._store.finish(task.task_id, end, self._clock.wall())
        return end

    async def _completed(self, task: TaskRecord, output: bytes) -> TaskEnd:
        """Keep what the performer gave, and sign it.

        Where signing waits for somebody else it is kept first: a crash, or a signer that stays
        away, then costs the signature and not the result.
        """
        result = self._identity.unsigned(task.submission, output)
        if self._identity.signer.waits:
            end = TaskEnd(state=TaskState.COMPLETED, result=result)
            await self._store.finish(task.task_id, end, self._clock.wall())
        return await self._signed(task, result)

    async def _signed(self, task: TaskRecord, result: TaskResult) -> TaskEnd:
        """Sign a result and keep it so; the error is told and not kept if that can not be done."""
        try:
            result = await self._identity.signed(task.submission, result)
        except HourglassError as error:
            log.error("result not signed", task_id=task.task_id, error=error.message)
            return TaskEnd(state=TaskState.FAILED, error=as_kept(error))
        end = TaskEnd(state=TaskState.COMPLETED, result=result)
        await self._store.finish(task.task_id, end, self._clock.wall())
        return end

    def _verify(self, submission: Submission) -> None:
        try:
            self._verifier.verify(submission)
        except HourglassError as error:
            self._note_refusal(submission, error)
            raise

    def _note_refusal(self, submission: Submission, error: HourglassError) -> None:
        """Let it be explained later on, to those who may ask."""
        self._dispatcher.note_refusal(
            submission.task_id, submission.avs_address, submission.addressee, error
        )

    def refuses(self, avs: str) -> HourglassError | None:
        """Return why a task of ``avs`` (lower case) would not be accepted now."""
        try:
            self._refuse_unless_served(avs, None)
        except HourglassError as error:
            return error
        return None

    def _refuse_unless_served(self, avs: str, addressee: Addressee | None) -> bool:
        """Return whether an instance takes tasks at this moment."""
        if self._stopping:
            raise HourglassError(
                Code.UNAVAILABLE, "the executor is stopping", reason="EXECUTOR_STOPPING"
            )
        if not self._is_served(avs):
            raise HourglassError(
                Code.NOT_FOUND,
                f"AVS performer not found for address {avs}",
                reason="AVS_UNKNOWN",
                hint="deploy one with DeployArtifact, or name it in avsPerformers",
            )
        if addressee is not None:
            if (error := self._dispatcher.refuses(avs, addressee)) is not None:
                raise error
            return True
        usable = self._dispatcher.takes_tasks(avs)
        if not usable and not self._policy(avs).queue_when_none_ready:
            raise HourglassError(
                Code.UNAVAILABLE,
                f"no instance of the performer of {avs} is ready",
                reason="NONE_READY",
                hint="the task was not accepted; send it again, or set whenNoneReady: Queue",
                retry_after=1.0,
            )
        return usable

    def _policy(self, avs: str) -> AvsPolicy:
        return self._policies.get(avs) or AvsPolicy()


def _key(submission: Submission) -> str:
    """Return the id under which the task is known: one id in any case of its digits."""
    return submission.task_id.lower()


def _is_unsigned(answer: TaskResult | HourglassError) -> TypeGuard[TaskResult]:
    return isinstance(answer, TaskResult) and not is_signed(answer)


def _result_of(answer: TaskResult | HourglassError) -> TaskResult:
    if isinstance(answer, HourglassError):
        raise answer
    return answer


def _not_kept(task_id: str) -> HourglassError:
    """The task is stored as running, and nothing runs it: its end could not be stored."""
    return HourglassError(
        Code.UNAVAILABLE,
        f"the end of task {task_id} could not be stored",
        reason="TASK_NOT_KEPT",
        hint="check the disk of the executor and restart it: the outcome is then unknown",
        retry_after=5.0,
    )
