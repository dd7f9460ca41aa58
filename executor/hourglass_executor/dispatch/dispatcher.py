"""Carries out what the router decides: one task in, one outcome out.

The router's state is read and written without a wait in between; everything that waits
(connections, health, calls) comes back to it as an event.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from types import TracebackType
from typing import Self, assert_never

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Failed, OutcomeUnknown, Task, TaskOutcome
from hourglass_common.runtime.logs import get_logger
from hourglass_services.performer.client import CallEnd
from prometheus_client import CollectorRegistry

from hourglass_executor.routing.decisions import DecisionLog
from hourglass_executor.routing.events import (
    CallEnded,
    CallNotMade,
    Connect,
    Disconnect,
    EndpointKey,
    EndpointsChanged,
    Event,
    HedgeWanted,
    PerformerDrained,
    PerformerRemoved,
    Reject,
    Send,
    TaskArrived,
    TaskWithdrawn,
    Tick,
    Ticket,
    Wait,
)
from hourglass_executor.routing.health import HealthStatus
from hourglass_executor.routing.hedging import RecentLatencies
from hourglass_executor.routing.retry_budget import RetryBudget
from hourglass_executor.routing.router import Router

from .answers import Answers
from .endpoints import Link
from .ends import allows_another, code_of, stopping
from .metrics import DispatchMetrics
from .policy import DispatchPolicy
from .second_attempt import Call, first_answer
from .standstill import BEAT, Standstill

log = get_logger(__name__)

Answer = Send | Reject


class Dispatcher(Answers):
    """Give it endpoints and tasks; use it as ``async with`` or by ``run``."""

    def __init__(
        self,
        *,
        clock: Clock,
        rng: Random,
        policy: DispatchPolicy | None = None,
        policies: Mapping[str, DispatchPolicy] | None = None,
        registry: CollectorRegistry | None = None,
        decisions: DecisionLog | None = None,
    ) -> None:
        """``policies`` are those of AVSs that have their own, by AVS in lower case."""
        self.decisions = decisions or DecisionLog()
        self._clock = clock
        self._rng = rng
        self._policy = policy or DispatchPolicy()
        self._policies = policies or {}
        self._router = Router(
            self._policy.router,
            {avs: own.router for avs, own in self._policies.items()},
            self.decisions,
        )
        self._metrics = DispatchMetrics(
            registry or CollectorRegistry(), endpoints=self.snapshot, waiting=self._router.waiting
        )
        self._links: dict[EndpointKey, Link] = {}
        self._budgets: dict[str, RetryBudget] = {}
        self._latencies: dict[str, RecentLatencies] = {}
        self._waiting: dict[Ticket, asyncio.Future[Answer]] = {}
        self._tickets = 0
        self._group: asyncio.TaskGroup | None = None
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._changed = asyncio.Event()
        self._standstill = Standstill(clock.monotonic())
        self._beat_timer: asyncio.TimerHandle | None = None
        self.on_change: Callable[[Event], None] | None = None
        """Told each event but the arrival of a task, once it is carried out; does not raise."""

    # -- life

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._standstill = Standstill(self._clock.monotonic())
        self._beat()
        for link in self._links.values():
            link.start(self._group)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._group is not None
        self._stopped = True
        for timer in (self._timer, self._beat_timer):
            if timer is not None:
                timer.cancel()
        for ticket in tuple(self._waiting):
            self._handle(TaskWithdrawn(ticket))
            self._answer(Reject(ticket, stopping()))
        for link in self._links.values():
            link.stop()
        await self._group.__aexit__(kind, error, traceback)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self:
            await asyncio.Event().wait()

    # -- endpoints

    def set_endpoints(self, avs: str, performer_id: str, endpoints: Sequence[Endpoint]) -> None:
        """Replace the full set of ``performer_id``; what left it finishes the calls it holds."""
        self._handle(EndpointsChanged(avs.lower(), performer_id, tuple(endpoints)))
        self._forget_unserved()

    def remove(self, performer_id: str) -> None:
        """Forget ``performer_id``; tasks that waited for its AVS alone are refused."""
        self._handle(PerformerRemoved(performer_id))
        self._forget_unserved()

    async def drain(self, performer_id: str, timeout_seconds: float) -> int:
        """Give ``performer_id`` no more tasks, await those it holds; return how many are left."""
        self._handle(PerformerDrained(performer_id))
        await self._until(lambda: self._router.in_flight(performer_id) == 0, timeout_seconds)
        return self._router.in_flight(performer_id)

    async def wait_usable(self, performer_id: str, timeout_seconds: float) -> bool:
        """Wait until a task could be sent to ``performer_id``; False when time ran out."""
        return await self._until(lambda: self._router.is_usable(performer_id), timeout_seconds)

    async def wait_serving(self, performer_id: str, timeout_seconds: float) -> bool:
        """Wait until an instance of ``performer_id`` could take tasks if it were in service: its
        deployer calls it ready, it is connected and SERVING. False when time ran out."""
        return await self._until(
            lambda: any(
                view.performer_id == performer_id
                and view.ready
                and view.connected
                and view.health is HealthStatus.SERVING
                for view in self.snapshot()
            ),
            timeout_seconds,
        )

    # -- tasks

    async def execute(
        self,
        task: Task,
        deadline: float,
        before_send: Callable[[], Awaitable[None]] | None = None,
    ) -> TaskOutcome:
        """Run ``task`` on some instance by ``deadline``, a time of ``clock.monotonic()``.

        ``before_send`` is awaited once, when an instance has a place for the task and before it
        is sent; what it raises is raised here, and nothing is sent.

        A task that is not idempotent is started by one performer at most: it is sent again only
        where the performer said that it did not start it. Never raises for what happens to a
        task. Cancelling this call cancels the one to the performer.
        """
        began = self._clock.monotonic()
        outcome = await self._attempts(task, deadline, before_send)
        if self._router.knows(task.avs):
            seconds = self._clock.monotonic() - began
            self._metrics.task_ended(task.avs, code_of(outcome), seconds)
        return outcome

    async def _attempts(
        self, task: Task, deadline: float, before_send: Callable[[], Awaitable[None]] | None
    ) -> TaskOutcome:
        unknown: OutcomeUnknown | None = None  # what a repeated task must not hide
        avoid: frozenset[EndpointKey] = frozenset()
        policy = self._policy_of(task.avs)
        attempt = 1
        while True:
            answer = await self._route(task, deadline, avoid)
            if isinstance(answer, Send) and before_send is not None:
                prepare, before_send = before_send, None
                if not await self._prepare(answer, prepare, deadline):
                    continue
            if isinstance(answer, Reject):
                return unknown or Failed(answer.error, executed=False)
            if attempt == 1:
                self._budgets[task.avs] = self._budget(task.avs).first_attempt(policy.retry)
            end = await self._call_once_or_twice(answer, task, deadline)
            outcome = end.outcome
            if isinstance(outcome, OutcomeUnknown):
                unknown = outcome
            if not self._may_send_again(task, end, attempt, deadline):
                surely_not_run = isinstance(outcome, Failed) and not outcome.executed
                return unknown if surely_not_run and unknown else outcome
            self._metrics.retried(task.avs)
            avoid |= {answer.permit.key}
            await asyncio.sleep(policy.retry_backoff.delay(attempt, self._rng.random()))
            attempt += 1

    async def _prepare(
        self, send: Send, prepare: Callable[[], Awaitable[None]], deadline: float
    ) -> bool:
        """Hold the place while the caller prepares; False if it can not be used any more."""
        link = self._links[send.permit.key]
        usable = False
        try:
            await prepare()
            usable = link.is_ready() and self._clock.monotonic() < deadline
        finally:
            if not usable:
                self._handle(CallNotMade(send.permit))
        return usable

    def _may_send_again(self, task: Task, end: CallEnd, attempt: int, deadline: float) -> bool:
        if not allows_another(end, idempotent=task.idempotent):
            return False
        attempts = self._policy_of(task.avs).retry.attempts
        if attempt >= attempts or self._clock.monotonic() >= deadline:
            return False
        if self._stopped or not self._router.knows(task.avs):
            return False
        return self._spend(task.avs)

    def _spend(self, avs: str) -> bool:
        left = self._budget(avs).retry()
        if left is None:
            return False
        self._budgets[avs] = left
        return True

    def _budget(self, avs: str) -> RetryBudget:
        return self._budgets.get(avs) or RetryBudget.full(self._policy_of(avs).retry)

    async def _route(self, task: Task, deadline: float, avoid: frozenset[EndpointKey]) -> Answer:
        """Return a Send whose connection is there at this moment, or a Reject."""
        while True:
            self._tickets += 1
            ticket = self._tickets
            if self._group is None or self._stopped:
                return Reject(ticket, stopping())
            answer = self._handle(
                TaskArrived(ticket, task.avs, deadline, avoid, task.task_id, task.addressee)
            )
            if answer is None:
                answer = await self._wait_for_answer(ticket)
            if isinstance(answer, Reject):
                return answer
            link = self._links[answer.permit.key]
            if not link.is_ready():
                # The connection broke, and its prober has not run yet: out of rotation first, so
                # that the permit handed back does not send the next task there too.
                link.prober.connection_lost()
            elif self._clock.monotonic() < deadline:
                return answer
            self._handle(CallNotMade(answer.permit))  # and ask again: a late task is rejected

    async def _wait_for_answer(self, ticket: Ticket) -> Answer:
        waiter = self._waiting[ticket]
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                if isinstance(answer := waiter.result(), Send):
                    self._handle(CallNotMade(answer.permit))
            else:
                self._waiting.pop(ticket, None)
                self._handle(TaskWithdrawn(ticket))
            raise

    async def _call_once_or_twice(self, send: Send, task: Task, deadline: float) -> CallEnd:
        hedge = self._policy_of(task.avs).hedge
        first = self._call(send, task, deadline)
        if not task.idempotent or not hedge.is_on:
            return await first
        delay = hedge.after(self._latencies.setdefault(task.avs, RecentLatencies()))
        if delay is None:
            return await first
        return await first_answer(first, delay, lambda: self._hedge(send, task, deadline))

    def _hedge(self, first: Send, task: Task, deadline: float) -> Call | None:
        """Return a second call, to another instance; None where none is free or allowed."""
        if self._stopped or self._budget(task.avs).retry() is None:
            return None
        self._tickets += 1
        avoid = frozenset({first.permit.key})
        send = self._handle(
            HedgeWanted(self._tickets, task.avs, deadline, avoid, task.task_id, task.addressee)
        )
        if not isinstance(send, Send):
            return None
        link = self._links[send.permit.key]
        if not link.is_ready():
            link.prober.connection_lost()
            self._handle(CallNotMade(send.permit))
            return None
        self._spend(task.avs)
        self._metrics.hedged(task.avs)
        return self._call(send, task, deadline)

    async def _call(self, send: Send, task: Task, deadline: float) -> CallEnd:
        """Make the call that ``send`` permits; nothing waits between the two."""
        link = self._links[send.permit.key]
        ended = CallEnded(send.permit, Code.CANCELLED, lost=True)
        try:
            end = await link.client.execute(
                task.task_id,
                task.payload,
                timeout_seconds=deadline - self._clock.monotonic(),
            )
            lost = isinstance(end.outcome, OutcomeUnknown)
            excused = self._standstill.excuses(send.permit.sent_at, self._clock.monotonic())
            ended = CallEnded(send.permit, end.code, lost, excused and end.code is not None)
            if end.code is None:
                link.prober.call_succeeded()
                if (latencies := self._latencies.get(task.avs)) is not None:
                    latencies.add(self._clock.monotonic() - send.permit.sent_at)
            return end
        finally:
            self._handle(ended)

    def _handle(self, first: Event) -> Answer | None:
        """Let the router take in an event, carry out what follows; return its answer, if any,
        to the task that has just arrived."""
        arrived = first.ticket if isinstance(first, TaskArrived | HedgeWanted) else None
        answer: Answer | None = None
        events: deque[Event] = deque((first,))
        while events:
            effects = self._router.handle(
                events.popleft(), now=self._clock.monotonic(), u=self._rng.random()
            )
            for effect in effects:
                match effect:
                    case Send() | Reject():
                        if effect.ticket == arrived:
                            self._waiting.pop(effect.ticket, None)
                            answer = effect
                        elif not self._answer(effect) and isinstance(effect, Send):
                            events.append(CallNotMade(effect.permit))
                    case Wait(ticket):
                        self._waiting[ticket] = asyncio.get_running_loop().create_future()
                    case Connect(endpoint):
                        self._connect(endpoint)
                    case Disconnect(key):
                        self._links.pop(key).stop()
                    case _:
                        assert_never(effect)
        self._arm_timer()
        if arrived is None:
            self._tell(first)
        return answer

    def _tell(self, event: Event) -> None:
        self._changed.set()
        if self.on_change is not None:
            self.on_change(event)

    def _answer(self, answer: Answer) -> bool:
        """Wake the task that waits for ``answer``; False where it does not wait any more."""
        waiter = self._waiting.pop(answer.ticket, None)
        if waiter is None or waiter.done():
            return False
        waiter.set_result(answer)
        return True

    def _connect(self, endpoint: Endpoint) -> None:
        link = Link(
            endpoint,
            report=self._handle,
            clock=self._clock,
            rng=self._rng,
            health=self._policy_of(self._router.avs_of(endpoint.performer_id)).health,
            max_message_bytes=self._policy.max_message_bytes,
        )
        self._links[link.key] = link
        if self._group is not None and not self._stopped:
            link.start(self._group)

    def _arm_timer(self) -> None:
        at = self._router.next_wakeup()
        if at == self._timer_at or self._stopped:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at != float("inf"):
            delay = max(0.0, at - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _beat(self) -> None:
        self._standstill.beat(self._clock.monotonic())
        self._beat_timer = asyncio.get_running_loop().call_later(BEAT, self._beat)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        self._handle(Tick())

    async def _until(self, holds: Callable[[], bool], timeout_seconds: float) -> bool:
        try:
            async with asyncio.timeout(timeout_seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return holds()
        return True

    def _forget_unserved(self) -> None:
        for avs in {*self._budgets, *self._latencies, *self._metrics.counted()}:
            if not self._router.knows(avs):
                self._budgets.pop(avs, None)
                self._latencies.pop(avs, None)
                self._metrics.forget(avs)
