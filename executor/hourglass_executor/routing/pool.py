"""The endpoints and the waiting tasks of one AVS. Mutable, seen by the router alone."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from hourglass_common.domain.errors import Code, HourglassError

from .balance import fastest
from .breaker import Closed, due_at, reinstate
from .events import EndpointKey, TaskArrived, Ticket
from .policy import RouterPolicy, WhenNoneReady
from .slot import Slot


@dataclass(slots=True, eq=False)
class Pool:
    """``usable`` are the slots that nothing but breaker and capacity keeps from a task."""

    avs: str
    policy: RouterPolicy
    performers: set[str] = field(default_factory=set[str])
    slots: list[Slot] = field(default_factory=list[Slot])
    usable: list[Slot] = field(default_factory=list[Slot])
    queue: dict[Ticket, TaskArrived] = field(default_factory=dict[Ticket, TaskArrived])
    earliest_deadline: float = float("inf")  # never later than that of any queued task

    def refresh(self) -> None:
        """Find the usable slots again, after any change of a slot or of the set of slots."""
        self.usable = [slot for slot in self.slots if slot.closed_to_tasks is None]
        self.keep_one_in_service()

    def keep_one_in_service(self) -> None:
        """Never leave every usable endpoint ejected: the one due soonest is taken back.

        With one to four instances a breaker that ejects the last one turns a partial failure
        into a whole one, and the tasks have nowhere better to go.
        """
        if not self.usable or any(isinstance(slot.breaker, Closed) for slot in self.usable):
            return
        soonest = min(self.usable, key=lambda slot: due_at(slot.breaker))
        soonest.breaker = reinstate(soonest.breaker)

    def pick(
        self,
        avoid: AbstractSet[EndpointKey],
        now: float,
        u: float,
        among: Sequence[Slot] | None = None,
        *,
        elsewhere_only: bool = False,
    ) -> Slot | None:
        """Return the slot that takes the next task, None where none can; ``among`` stands for
        ``usable``, where that is not what is asked.

        One of ``avoid`` takes it where no other does, unless ``elsewhere_only``. A breaker whose
        wait is over gets its probe first: it is the only way to learn more.
        """
        concurrency = self.policy.concurrency
        fewest = concurrency - 1
        least_busy: list[Slot] = []
        for slot in self.usable if among is None else among:
            in_flight = len(slot.permits)
            if avoid and slot.key in avoid:
                continue
            if not isinstance(slot.breaker, Closed):
                if now >= due_at(slot.breaker) and in_flight < concurrency:
                    return slot
            elif in_flight < fewest:
                fewest = in_flight
                least_busy = [slot]
            elif in_flight == fewest:
                least_busy.append(slot)
        if not least_busy:
            again = avoid and not elsewhere_only
            return self.pick(frozenset(), now, u, among) if again else None
        if len(least_busy) == 1:
            return least_busy[0]
        half_life = self.policy.latency_half_life
        return least_busy[fastest([slot.latency.at(now, half_life) for slot in least_busy], u)]

    def enqueue(self, task: TaskArrived) -> None:
        self.queue[task.ticket] = task
        self.earliest_deadline = min(self.earliest_deadline, task.deadline)

    def expired(self, now: float) -> Iterator[TaskArrived]:
        """Remove and yield the queued tasks whose deadline has come."""
        if now < self.earliest_deadline:
            return
        late = [task for task in self.queue.values() if task.deadline <= now]
        for task in late:
            del self.queue[task.ticket]
        self.earliest_deadline = min(
            (task.deadline for task in self.queue.values()), default=float("inf")
        )
        yield from late

    def next_wakeup(self) -> float:
        """Return when time alone changes something for a queued task; infinity for never."""
        if not self.queue:
            return float("inf")
        probes = (
            due_at(slot.breaker)
            for slot in self.usable
            if not isinstance(slot.breaker, Closed) and len(slot.permits) < self.policy.concurrency
        )
        return min((self.earliest_deadline, *probes))

    # -- who may not wait

    def refusal(self, deadline: float, now: float, held: int) -> HourglassError | None:
        """Return why a task that can not be sent at once may not wait either; None if it may.

        ``held`` tasks of this AVS are in flight, wait, or are about to arrive.
        """
        if not self.usable and self.policy.when_none_ready is WhenNoneReady.FAIL:
            return self.none_ready(now)
        places = len(self.usable) * self.policy.concurrency
        if len(self.queue) >= self.policy.queue or held >= places + self.policy.queue:
            return self.full(max(len(self.queue), held - places))
        turn = self._seconds_until(max(len(self.queue), held - places) + 1)
        # A call that is cut off by its deadline has an unknown end: better not to begin it.
        if turn is not None and now + turn + self._mean_latency(0.0) > deadline:
            return self.too_long(turn)
        return None

    def _seconds_until(self, place: int) -> float | None:
        """Return the expected wait at ``place`` in the queue; None where nothing tells it."""
        mean = self._mean_latency(0.0)
        if mean == 0.0 or not self.usable:
            return None
        return mean * place / (len(self.usable) * self.policy.concurrency)

    def _mean_latency(self, unknown: float) -> float:
        latencies = [slot.latency.seconds for slot in self.usable if slot.latency.seconds > 0]
        return sum(latencies) / len(latencies) if latencies else unknown

    # -- errors, in one voice

    def unknown(self) -> HourglassError:
        return unknown_avs(self.avs)

    def full(self, waiting: int) -> HourglassError:
        """Return the refusal of a task for which the queue has no room."""
        width = max(1, len(self.usable)) * self.policy.concurrency
        return HourglassError(
            Code.RESOURCE_EXHAUSTED,
            f"{waiting} tasks already wait for a performer of AVS {self.avs}",
            reason="TASK_QUEUE_FULL",
            hint="send fewer tasks at once, or give the performer more replicas",
            metadata={"avs": self.avs},
            retry_after=self._retry_after(self._mean_latency(1.0) * waiting / width),
        )

    def too_long(self, wait: float) -> HourglassError:
        """Return the refusal of a task whose time would end before its turn is over."""
        return HourglassError(
            Code.RESOURCE_EXHAUSTED,
            f"a task of AVS {self.avs} waits about {wait:.1f} s now: too long for its deadline",
            reason="TASK_QUEUE_TOO_LONG",
            hint="the task was not run; send it later, allow more time with taskTimeout, or give "
            "the performer more replicas",
            metadata={"avs": self.avs},
            retry_after=self._retry_after(wait),
        )

    def _retry_after(self, wait: float) -> float:
        return min(max(wait, self.policy.retry_after_min), self.policy.retry_after_max)

    def none_ready(self, now: float) -> HourglassError:
        return HourglassError(
            Code.UNAVAILABLE,
            f"no performer of AVS {self.avs} is ready: {self._why(now)}",
            reason="NO_PERFORMER_READY",
            hint="the task was not run; send it again later",
            metadata={"avs": self.avs},
            retry_after=1.0,
        )

    def too_late(self, now: float) -> HourglassError:
        return HourglassError(
            Code.DEADLINE_EXCEEDED,
            f"the task's time ended before a performer of AVS {self.avs} could take it: "
            f"{self._why(now)}",
            reason="TASK_NOT_STARTED",
            hint="the task was not run; look at the performer, or allow more time",
            metadata={"avs": self.avs},
        )

    def _why(self, now: float) -> str:
        if not self.slots:
            return "it has no instance"
        reasons = ((slot, slot.skipped(now)) for slot in self.slots)
        return ", ".join(
            f"{slot.endpoint.instance} {'Usable' if reason is None else reason.value}"
            for slot, reason in reasons
        )


def unknown_avs(avs: str) -> HourglassError:
    return HourglassError(
        Code.NOT_FOUND,
        f"AVS performer not found for address {avs}",  # no hint: clients know this very text
        reason="AVS_PERFORMER_NOT_FOUND",
        metadata={"avs": avs},
    )
