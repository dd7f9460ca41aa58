"""One watcher's share of what happens: sampled, bounded, and honest about what it missed. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from zlib import crc32

T = TypeVar("T")

_ALL = 1 << 32


@dataclass(frozen=True, slots=True)
class Missed:
    """So many events came while the watcher had no room for them, at this place in the order."""

    count: int


class Tap(Generic[T]):
    """Keeps at most ``size`` events until they are taken; ``wake`` is called when there are any.

    ``rate`` in (0, 1] is the share of tasks that is watched: of one task all events or none, by
    its id. ``avs`` "" means all.
    """

    def __init__(self, *, size: int, avs: str, rate: float, wake: Callable[[], None]) -> None:
        self._events: deque[T | Missed] = deque()
        self._size = size
        self._avs = avs
        self._below = int(rate * _ALL)
        self._wake = wake
        self._missed = 0

    def push(self, task_id: str, avs: str, event: T) -> None:
        """Keep ``event`` if it is wanted and there is room."""
        if self._avs not in ("", avs) or not self.samples(task_id):
            return
        if len(self._events) >= self._size:
            self._missed += 1
            return
        if self._missed:
            self._events.append(Missed(self._missed))
            self._missed = 0
        self._events.append(event)
        self._wake()

    def samples(self, task_id: str) -> bool:
        """Whether the events of this task are watched."""
        return crc32(task_id.lower().encode()) < self._below

    def take(self) -> T | Missed | None:
        """Return the next event, None when there is none."""
        if self._events:
            return self._events.popleft()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Missed(missed)
        return None
