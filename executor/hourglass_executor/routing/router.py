"""Where each task goes. Pure: events in, effects out; time and chance are arguments.

One synchronous object: whoever drives it never waits between an event and carrying out its
effects. What holds after every ``handle``:

- calls in flight are the permits not yet handed back, at most ``concurrency`` per endpoint;
- a queued task and an endpoint that could take it never coexist;
- every task that arrives ends in exactly one of Send, Reject and its own withdrawal;
- where an AVS has usable endpoints, the breaker of at least one of them is closed;
- an endpoint that left its set is disconnected once its last call has ended.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import HourglassError
from hourglass_common.domain.task import Addressee

from . import addressed, roles
from .breaker import Closed, Verdict, admit, record
from .decisions import DecisionLog, Step
from .drain import DrainReport, report
from .events import (
    CallEnded,
    CallNotMade,
    Connect,
    ConnectionChanged,
    Disconnect,
    Effect,
    EndpointKey,
    EndpointsChanged,
    Event,
    HealthChanged,
    HedgeWanted,
    PerformerDrained,
    PerformerRemoved,
    Permit,
    Reject,
    Send,
    TaskArrived,
    TaskWithdrawn,
    Tick,
    Ticket,
    Wait,
    key_of,
)
from .foresight import Foresight, foresee
from .policy import RouterPolicy
from .pool import Pool, unknown_avs
from .slot import EndpointView, Slot

_NOTHING: tuple[Effect, ...] = ()


class Router:
    """All endpoints and all waiting tasks of one executor."""

    def __init__(
        self,
        policy: RouterPolicy,
        policies: Mapping[str, RouterPolicy] | None = None,
        decisions: DecisionLog | None = None,
    ) -> None:
        """``policies`` are those of AVSs that have their own, by AVS in lower case; ``decisions``
        is told what becomes of every task."""
        self._policy = policy
        self._policies = policies or {}
        self._decisions = DecisionLog() if decisions is None else decisions
        self._pools: dict[str, Pool] = {}
        self._slots: dict[EndpointKey, Slot] = {}
        self._avs_of: dict[str, str] = {}  # by performer
        self._drained: set[str] = set()
        self._queued: dict[Ticket, Pool] = {}
        self._permits_given = 0
        self._lost: dict[str, dict[str, int]] = {}  # calls, by performer and revision

    def handle(self, event: Event, *, now: float, u: float) -> Sequence[Effect]:
        """Take in ``event`` and return what follows, in order; ``u`` is random in [0, 1)."""
        match event:
            case TaskArrived():
                return self._arrived(event, now, u)
            case HedgeWanted():
                return self._hedged(event, now, u)
            case CallEnded() | CallNotMade():
                return self._ended(event, now, u)
            case Tick():
                return self._ticked(now, u)
            case TaskWithdrawn(ticket):
                return self._withdrawn(ticket)
            case ConnectionChanged() | HealthChanged():
                return self._observed(event, now, u)
            case EndpointsChanged():
                return self._endpoints_changed(event, now, u)
            case PerformerRemoved(performer_id):
                return self._removed(performer_id, now)
            case PerformerDrained(performer_id):
                return self._drain(performer_id)
            case _:
                assert_never(event)

    # -- what others may see

    def knows(self, avs: str) -> bool:
        return avs in self._pools

    def next_wakeup(self) -> float:
        """Return when a Tick is due; infinity while nothing waits."""
        if not self._queued:
            return float("inf")
        return min(pool.next_wakeup() for pool in self._pools.values())

    def is_usable(self, performer_id: str) -> bool:
        """Whether a task could be sent to an endpoint of ``performer_id``."""
        pool = self._pools.get(self._avs_of.get(performer_id, ""))
        return pool is not None and any(
            slot.endpoint.performer_id == performer_id for slot in pool.usable
        )

    def takes_tasks(self, avs: str, now: float) -> bool:
        """Whether a task of ``avs`` that arrives now is sent at once, were none before it.

        For one with an addressee ``refuses`` tells."""
        pool = self._pools.get(avs)
        return pool is not None and any(slot.skipped(now) is None for slot in pool.usable)

    def refusal(
        self, avs: str, deadline: float, now: float, held: int = 0
    ) -> HourglassError | None:
        """Return why a task of ``avs`` that arrives now would be refused; None if it would not.

        ``held`` counts the caller's tasks of ``avs`` that have not ended, those included that it
        has not let arrive yet.
        """
        pool = self._pools.get(avs)
        if pool is None:
            return unknown_avs(avs)
        full = held >= len(pool.usable) * pool.policy.concurrency
        if not full and self.takes_tasks(avs, now):
            return None
        return pool.refusal(deadline, now, held)

    def avs_of(self, performer_id: str) -> str:
        """Return the AVS that ``performer_id`` serves; "" where it is not known."""
        return self._avs_of.get(performer_id, "")

    def refuses(self, avs: str, addressee: Addressee, now: float) -> HourglassError | None:
        """Return why none of those addressed takes a task now; None where one does."""
        pool = self._pools.get(avs)
        return unknown_avs(avs) if pool is None else addressed.refusal(pool, addressee, now)

    def note_refusal(self, task: TaskArrived, error: HourglassError, now: float) -> None:
        """Remember a refusal that was not the router's own."""
        pool = self._pools.get(task.avs)
        self._decisions.refused(task, error, () if pool is None else pool.slots, now)

    def foresee(self, avs: str, addressee: Addressee | None, now: float) -> Foresight:
        """Return what would become of a task of ``avs`` that arrived now; nothing changes."""
        pool = self._pools.get(avs)
        if pool is None:
            return Foresight(Step.REFUSED, error=unknown_avs(avs))
        return foresee(pool, addressee, now)

    def place_in_queue(self, avs: str, task_id: str) -> int:
        """Return how many tasks are sent before this one, itself included; 0 if it does not
        wait. ``task_id`` in lower case."""
        pool = self._pools.get(avs)
        waiting = () if pool is None else pool.queue.values()
        for place, task in enumerate(waiting, start=1):
            if task.task_id.lower() == task_id:
                return place
        return 0

    def in_flight(self, performer_id: str) -> int:
        return sum(
            len(slot.permits)
            for slot in self._slots.values()
            if slot.endpoint.performer_id == performer_id
        )

    def views(self, now: float) -> tuple[EndpointView, ...]:
        """Return every endpoint, those that are only finishing their calls included."""
        return tuple(slot.view(now) for slot in self._slots.values())

    def waiting(self) -> dict[str, int]:
        """Return how many tasks wait, by AVS."""
        return {avs: len(pool.queue) for avs, pool in self._pools.items()}

    def drain_reports(self, performer_id: str) -> tuple[DrainReport, ...]:
        """Return what each revision of ``performer_id`` still holds."""
        revisions: dict[str, list[Slot]] = {}
        for slot in self._slots.values():
            if slot.endpoint.performer_id == performer_id:
                revisions.setdefault(slot.endpoint.revision, []).append(slot)
        lost = self._lost.get(performer_id, {})
        return tuple(
            report(
                performer_id,
                revision,
                instances=(slot.load() for slot in revisions.get(revision, ())),
                lost=lost.get(revision, 0),
            )
            for revision in (*revisions, *(each for each in lost if each not in revisions))
        )

    # -- tasks

    def _arrived(self, task: TaskArrived, now: float, u: float) -> Sequence[Effect]:
        pool = self._pools.get(task.avs)
        if pool is None:
            return (self._reject(task, unknown_avs(task.avs), now),)
        if task.deadline <= now:
            return (self._reject(task, pool.too_late(now), now),)
        if task.addressee is not None:
            return (self._addressed(pool, task, task.addressee, now, u),)
        if not pool.queue and (slot := pool.pick(task.avoid, now, u)) is not None:
            return (self._send(task, slot, now),)
        effects = self._pump(pool, now, u) if pool.queue else []
        if (refusal := pool.refusal(task.deadline, now, 0)) is not None:
            return (*effects, self._reject(task, refusal, now))
        self._decisions.waits(task, pool.slots, now)
        pool.enqueue(task)
        self._queued[task.ticket] = pool
        return (*effects, Wait(task.ticket, task.deadline), *self._pump(pool, now, u))

    def _addressed(
        self, pool: Pool, task: TaskArrived, to: Addressee, now: float, u: float
    ) -> Send | Reject:
        slot = pool.pick(task.avoid, now, u, addressed.open_to(to, pool.slots))
        if slot is not None:
            return self._send(task, slot, now)
        error = addressed.refusal(pool, to, now)
        assert error is not None, "an open slot is picked"
        return self._reject(task, error, now)

    def _reject(self, task: TaskArrived, error: HourglassError, now: float) -> Reject:
        self.note_refusal(task, error, now)
        return Reject(task.ticket, error)

    def _hedged(self, task: HedgeWanted, now: float, u: float) -> Sequence[Effect]:
        pool = self._pools.get(task.avs)
        if pool is None or pool.queue or task.deadline <= now:
            return _NOTHING
        among = None if task.addressee is None else addressed.open_to(task.addressee, pool.slots)
        slot = pool.pick(task.avoid, now, u, among, elsewhere_only=True)
        return _NOTHING if slot is None else (self._send(task, slot, now),)

    def _send(self, task: TaskArrived | HedgeWanted, slot: Slot, now: float) -> Send:
        self._decisions.sent(task, slot, self._pools[task.avs].slots, now)
        slot.breaker, leave = admit(slot.breaker, now=now, policy=slot.policy.breaker)
        assert leave is not None, "a picked slot admits a call"
        self._permits_given += 1
        permit = Permit(self._permits_given, slot.key, leave, now, task.deadline, task.task_id)
        slot.permits[permit.number] = permit
        slot.sent += 1
        return Send(task.ticket, permit, slot.endpoint)

    def _ended(self, event: CallEnded | CallNotMade, now: float, u: float) -> Sequence[Effect]:
        permit = event.permit
        slot = self._slots.get(permit.key)
        if slot is None or slot.permits.pop(permit.number, None) is None:
            return _NOTHING  # handed back before
        verdict = Verdict.NEUTRAL
        if isinstance(event, CallNotMade):
            slot.sent -= 1
            self._decisions.not_made(permit, slot.avs, now)
        else:
            verdict = Verdict.NEUTRAL if event.excused else slot.policy.verdict(event.code)
            slot.count(event.code, event.lost)
            if event.lost:
                self._count_lost(slot.endpoint)
            self._decisions.call_ended(permit, slot.avs, event.code, event.lost, now)
            if event.code is None:
                slot.latency = slot.latency.measured(now - permit.sent_at, now)
        slot.breaker = record(
            slot.breaker, permit.breaker, verdict, now=now, u=u, policy=slot.policy.breaker
        )
        if slot.leaving and not slot.permits:
            return (self._forget(slot),)
        pool = self._pools.get(slot.avs)
        if pool is None:
            return _NOTHING
        if verdict is not Verdict.SUCCESS and not isinstance(slot.breaker, Closed):
            pool.keep_one_in_service()
        return self._pump(pool, now, u) if pool.queue else _NOTHING

    def _count_lost(self, endpoint: Endpoint) -> None:
        if endpoint.performer_id in self._avs_of:
            lost = self._lost.setdefault(endpoint.performer_id, {})
            lost[endpoint.revision] = lost.get(endpoint.revision, 0) + 1

    def _pump(self, pool: Pool, now: float, u: float) -> list[Effect]:
        """Send queued tasks, first come first served, for as long as an endpoint takes them."""
        effects: list[Effect] = []
        for task in pool.expired(now):
            del self._queued[task.ticket]
            effects.append(self._reject(task, pool.too_late(now), now))
        while pool.queue:
            task = next(iter(pool.queue.values()))
            slot = pool.pick(task.avoid, now, u)
            if slot is None:
                break
            del pool.queue[task.ticket], self._queued[task.ticket]
            effects.append(self._send(task, slot, now))
        return effects

    def _withdrawn(self, ticket: Ticket) -> Sequence[Effect]:
        pool = self._queued.pop(ticket, None)
        if pool is not None:
            del pool.queue[ticket]
        return _NOTHING

    def _ticked(self, now: float, u: float) -> Sequence[Effect]:
        return [
            effect
            for pool in self._pools.values()
            if pool.queue
            for effect in self._pump(pool, now, u)
        ]

    # -- endpoints

    def _observed(
        self, event: ConnectionChanged | HealthChanged, now: float, u: float
    ) -> Sequence[Effect]:
        slot = self._slots.get(event.key)
        if slot is None:
            return _NOTHING
        if isinstance(event, ConnectionChanged):
            slot.observe(now=now, u=u, connected=event.connected)
        else:
            slot.observe(now=now, u=u, health=event.health)
        pool = self._pools.get(slot.avs)
        if pool is None:
            return _NOTHING
        pool.refresh()
        return self._pump(pool, now, u)

    def _endpoints_changed(self, event: EndpointsChanged, now: float, u: float) -> Sequence[Effect]:
        effects: list[Effect] = []
        if self._avs_of.get(event.performer_id, event.avs) != event.avs:
            effects.extend(self._removed(event.performer_id, now))
        self._avs_of[event.performer_id] = event.avs
        pool = self._pools.get(event.avs)
        if pool is None:
            policy = self._policies.get(event.avs, self._policy)
            pool = self._pools[event.avs] = Pool(event.avs, policy)
        pool.performers.add(event.performer_id)
        wanted = {key_of(e): e for e in event.endpoints if roles.is_connected(e.role)}
        for slot in [s for s in pool.slots if s.endpoint.performer_id == event.performer_id]:
            if slot.key not in wanted:
                effects.extend(self._leave(slot, pool))
        for key, endpoint in wanted.items():
            if key in self._slots:
                self._keep(self._slots[key], endpoint, pool)
            else:
                self._add(key, endpoint, pool)
                effects.append(Connect(endpoint))
        pool.refresh()
        effects.extend(self._pump(pool, now, u))
        return effects

    def _add(self, key: EndpointKey, endpoint: Endpoint, pool: Pool) -> None:
        drained = endpoint.performer_id in self._drained
        slot = Slot(endpoint, key, pool.avs, pool.policy, draining=drained)
        slot.refresh()
        self._slots[key] = slot
        pool.slots.append(slot)

    def _keep(self, slot: Slot, endpoint: Endpoint, pool: Pool) -> None:
        slot.endpoint = endpoint
        if slot.leaving:  # it comes back before its last call has ended
            slot.leaving = False
        if slot not in pool.slots:
            slot.avs, slot.policy = pool.avs, pool.policy
            pool.slots.append(slot)
        slot.draining = endpoint.performer_id in self._drained
        slot.refresh()

    def _leave(self, slot: Slot, pool: Pool) -> Sequence[Effect]:
        pool.slots.remove(slot)
        slot.leaving = True
        slot.refresh()
        return _NOTHING if slot.permits else (self._forget(slot),)

    def _forget(self, slot: Slot) -> Disconnect:
        del self._slots[slot.key]
        return Disconnect(slot.key)

    def _removed(self, performer_id: str, now: float) -> Sequence[Effect]:
        avs = self._avs_of.pop(performer_id, None)
        self._drained.discard(performer_id)
        self._lost.pop(performer_id, None)
        if avs is None:
            return _NOTHING
        pool = self._pools[avs]
        pool.performers.discard(performer_id)
        effects: list[Effect] = []
        for slot in [s for s in pool.slots if s.endpoint.performer_id == performer_id]:
            effects.extend(self._leave(slot, pool))
        pool.refresh()
        if not pool.performers:
            del self._pools[avs]
            for task in pool.queue.values():
                del self._queued[task.ticket]
                effects.append(self._reject(task, pool.unknown(), now))
        return effects

    def _drain(self, performer_id: str) -> Sequence[Effect]:
        if performer_id not in self._avs_of:
            return _NOTHING
        self._drained.add(performer_id)
        pool = self._pools[self._avs_of[performer_id]]
        for slot in pool.slots:
            if slot.endpoint.performer_id == performer_id:
                slot.draining = True
                slot.refresh()
        pool.refresh()
        return _NOTHING
