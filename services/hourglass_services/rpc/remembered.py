"""Answers that hold for a while: bounded, with time as an argument. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """At most ``size`` answers; when full, the one that was asked for longest ago goes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[Key, tuple[Value, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Key, now: float) -> tuple[Value, float] | None:
        """Return the answer and the time until which it holds, None if there is none now."""
        found = self._known.get(key)
        if found is None:
            return None
        if now >= found[1]:
            del self._known[key]
            return None
        self._known.move_to_end(key)
        return found

    def put(self, key: Key, value: Value, until: float) -> None:
        """Remember an answer before ``until``."""
        self._known[key] = (value, until)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
