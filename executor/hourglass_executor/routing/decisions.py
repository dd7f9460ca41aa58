"""What was decided about tasks, and how their endpoints were at that moment. Bounded. Pure.

Noting must cost next to nothing, since every task pays for it: what is frozen is kept as it is,
and reasons are worked out when somebody asks. Refusals have a ring of their own, so that a flood
of them does not push out what is known of the tasks that ran.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Addressee

from .balance import Latency
from .breaker import BreakerState
from .events import EndpointKey, HedgeWanted, Permit, TaskArrived
from .skip import SkipReason
from .slot import Slot, skip_reason
from .tap import Tap

DEFAULT_SIZE = 2000
MOST_SEEN = 16
"""Endpoints kept of one decision; of more, these and the chosen one."""


class Step(Enum):
    """What happened to a task."""

    SENT = "Sent"
    WAITS = "Waits"
    REFUSED = "Refused"
    NOT_MADE = "NotMade"  # it was given an endpoint, and the call was not started
    CALL_ENDED = "CallEnded"
    FINISHED = "Finished"


Seen = tuple[Endpoint, SkipReason | None, BreakerState, int, Latency]
"""An endpoint, what closed it to the task, its breaker, its tasks in flight, its latency."""


class Note(NamedTuple):
    """One step of one task; ``at`` on the monotonic clock.

    ``endpoint`` is the one it went to, ``seen`` those that were looked at just before, of
    ``total``. ``code`` is None for an answered call; ``state`` is how a finished task ended.
    """

    at: float
    step: Step
    task_id: str
    avs: str
    endpoint: EndpointKey | None = None
    addressee: Addressee | None = None
    seen: Sequence[Seen] = ()
    total: int = 0
    error: HourglassError | None = None
    code: Code | None = None
    lost: bool = False
    seconds: float = 0.0
    state: str = ""


class DecisionLog:
    """The last ``size`` steps of tasks, and as many refusals; what is older is forgotten."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._steps: deque[Note] = deque(maxlen=size)
        self._refusals: deque[Note] = deque(maxlen=size)
        self._taps: tuple[Tap[Note], ...] = ()

    # -- noting

    def sent(
        self, task: TaskArrived | HedgeWanted, slot: Slot, slots: Sequence[Slot], now: float
    ) -> None:
        """Note where a task goes; to be called before it counts there."""
        seen = _seen(slots, task.addressee)
        if len(slots) > MOST_SEEN and slot not in slots[:MOST_SEEN]:
            seen += _seen((slot,), task.addressee)
        self._note(
            self._steps,
            Note(
                now,
                Step.SENT,
                task.task_id,
                task.avs,
                slot.key,
                task.addressee,
                seen,
                len(slots),
            ),
        )

    def waits(self, task: TaskArrived, slots: Sequence[Slot], now: float) -> None:
        seen = _seen(slots, task.addressee)
        note = Note(now, Step.WAITS, task.task_id, task.avs, None, None, seen, len(slots))
        self._note(self._steps, note)

    def refused(
        self, task: TaskArrived, error: HourglassError, slots: Sequence[Slot], now: float
    ) -> None:
        note = Note(
            now,
            Step.REFUSED,
            task.task_id,
            task.avs,
            None,
            task.addressee,
            _seen(slots, task.addressee),
            len(slots),
            error,
            error.code,
        )
        self._note(self._refusals, note)

    def not_made(self, permit: Permit, avs: str, now: float) -> None:
        self._note(self._steps, Note(now, Step.NOT_MADE, permit.task_id, avs, permit.key))

    def call_ended(
        self, permit: Permit, avs: str, code: Code | None, lost: bool, now: float
    ) -> None:
        note = Note(
            now,
            Step.CALL_ENDED,
            permit.task_id,
            avs,
            permit.key,
            code=code,
            lost=lost,
            seconds=now - permit.sent_at,
        )
        self._note(self._steps, note)

    def finished(self, task_id: str, avs: str, state: str, seconds: float, now: float) -> None:
        """Tell watchers alone: how a task ended is in the store."""
        if self._taps:
            note = Note(now, Step.FINISHED, task_id, avs, state=state, seconds=seconds)
            for tap in self._taps:
                tap.push(note.task_id, note.avs, note)

    def _note(self, ring: deque[Note], note: Note) -> None:
        ring.append(note)
        for tap in self._taps:
            tap.push(note.task_id, note.avs, note)

    # -- reading

    def of_task(self, task_id: str) -> tuple[Note, ...]:
        """Return what is remembered of one task, oldest first; ``task_id`` in lower case."""
        return _in_order(n for n in self._all() if n.task_id.lower() == task_id)

    def of_avs(self, avs: str, at_most: int) -> tuple[Note, ...]:
        """Return the last steps of the tasks of one AVS, oldest first."""
        return _in_order(n for n in self._all() if n.avs == avs)[-at_most:]

    def since(self) -> float | None:
        """Return from when on steps are remembered, None while nothing was forgotten."""
        return self._steps[0].at if len(self._steps) == self._steps.maxlen else None

    def _all(self) -> Iterator[Note]:
        yield from self._steps
        yield from self._refusals

    # -- watching

    @property
    def taps(self) -> int:
        return len(self._taps)

    def add_tap(self, tap: Tap[Note]) -> None:
        self._taps = (*self._taps, tap)

    def remove_tap(self, tap: Tap[Note]) -> None:
        self._taps = tuple(each for each in self._taps if each is not tap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One endpoint as it was when a task asked; ``skipped`` None means that it could have it."""

    endpoint: Endpoint
    skipped: SkipReason | None
    in_flight: int
    latency_seconds: float


def considered(note: Note, concurrency: int) -> tuple[Considered, ...]:
    """Return the endpoints that were looked at for ``note``."""
    return tuple(at_that_moment(seen, note.at, concurrency) for seen in note.seen)


def at_that_moment(seen: Seen, now: float, concurrency: int) -> Considered:
    endpoint, closed, breaker, in_flight, latency = seen
    return Considered(
        endpoint=endpoint,
        skipped=skip_reason(closed, breaker, in_flight, now, concurrency),
        in_flight=in_flight,
        latency_seconds=latency.seconds,
    )


def look(
    slots: Sequence[Slot], addressee: Addressee | None, now: float, concurrency: int
) -> tuple[Considered, ...]:
    """Return all of ``slots`` as they are now."""
    return tuple(at_that_moment(_one(slot, addressee), now, concurrency) for slot in slots)


def _seen(slots: Sequence[Slot], addressee: Addressee | None) -> list[Seen]:
    if addressee is not None:
        return [_one(slot, addressee) for slot in slots[:MOST_SEEN]]
    return [
        (slot.endpoint, slot.closed_to_tasks, slot.breaker, len(slot.permits), slot.latency)
        for slot in slots[:MOST_SEEN]
    ]


def _one(slot: Slot, addressee: Addressee | None) -> Seen:
    closed = slot.closed_to_tasks if addressee is None else slot.closed_to(addressee)
    return (slot.endpoint, closed, slot.breaker, len(slot.permits), slot.latency)


def _in_order(notes: Iterator[Note]) -> tuple[Note, ...]:
    return tuple(sorted(notes, key=lambda note: note.at))
