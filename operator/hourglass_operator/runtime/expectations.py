"""Own writes that the caches have not seen yet. Pure.

Planning from a cache that lags behind our own writes would do things twice; so a performer with
unseen writes waits until the watch has brought them, which it does within milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")

GIVE_UP_SECONDS = 30.0
"""After this a write that no watch has shown is taken for undone: the plan looks anew."""

Object = tuple[str, str, str]
"""(plural, namespace, name)"""


@dataclass(slots=True)
class Expectations:
    """For each performer the resourceVersions that its children's cache must reach."""

    waiting: dict[tuple[str, str], dict[Object, tuple[int, float]]] = field(default_factory=dict)

    def expect(self, owner: tuple[str, str], what: Object, version: int, now: float) -> None:
        self.waiting.setdefault(owner, {})[what] = (version, now)

    def unseen(
        self, owner: tuple[str, str], cached: Callable[[Object], int | None], now: float
    ) -> bool:
        """Return whether some write of ``owner`` is not in the caches yet.

        ``cached`` gives an object's resourceVersion, None where the cache lacks it.
        """
        known = self.waiting.get(owner)
        if not known:
            return False
        for what, (version, since) in list(known.items()):
            seen = cached(what)
            if (seen is not None and seen >= version) or now - since > GIVE_UP_SECONDS:
                del known[what]
        if not known:
            del self.waiting[owner]
            return False
        return True

    def forget(self, owner: tuple[str, str]) -> None:
        self.waiting.pop(owner, None)

    def gone(self, owner: tuple[str, str], what: Object) -> None:
        """The watch has shown that the object is gone: earlier writes of it need no waiting."""
        known = self.waiting.get(owner)
        if known is not None and known.pop(what, None) is not None and not known:
            del self.waiting[owner]
