"""All objects and a bounded history of their changes, in memory.

One counter numbers all changes; it is the resourceVersion. An object is never changed in place:
whoever holds one may keep it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Manifest = Mapping[str, Any]
Key = tuple[str, str]
"""(namespace, name); namespace is empty for objects of the whole cluster."""


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write. ``old`` is None when added; ``new`` is the last state when deleted."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    storage: str
    key: Key
    new: Manifest
    old: Manifest | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """Where an object is kept."""

    storage: str
    key: Key


class HistoryCompacted(Exception):
    """Changes after the version asked for are forgotten: list again."""

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {version} ({oldest})")
        self.version = version
        self.oldest = oldest


class Store:
    """``history`` changes of each storage are remembered; before ``version`` there are none."""

    def __init__(
        self, *, version: int = 1, remembered_since: int | None = None, history: int = 2000
    ) -> None:
        self.version = version
        self._floor = version if remembered_since is None else remembered_since
        self._history = history
        self._objects: dict[str, dict[Key, Manifest]] = {}
        self._log: dict[str, list[Change]] = {}
        self._compacted: dict[str, int] = {}
        self._by_uid: dict[str, Ref] = {}
        self._dependents: dict[str, dict[Ref, None]] = {}

    def load(self, storage: str, manifest: Manifest) -> None:
        """Put an object of an earlier run back, as it was; this is not a change."""
        self._place(Ref(storage, key_of(manifest)), manifest)

    def get(self, storage: str, key: Key) -> Manifest | None:
        return self._objects.get(storage, {}).get(key)

    def objects(self, storage: str, namespace: str = "") -> list[Manifest]:
        """Return the objects sorted by key; ``namespace`` empty means all."""
        held = self._objects.get(storage, {})
        keys = sorted(key for key in held if not namespace or key[0] == namespace)
        return [held[key] for key in keys]

    def put(self, storage: str, manifest: Manifest) -> Change:
        """Add or replace an object; the change holds it with its new resourceVersion."""
        key = key_of(manifest)
        old = self.get(storage, key)
        self.version += 1
        new = _stamped(manifest, self.version)
        self._place(Ref(storage, key), new)
        kind: Literal["ADDED", "MODIFIED"] = "ADDED" if old is None else "MODIFIED"
        return self._remember(Change(self.version, kind, storage, key, new, old))

    def delete(self, storage: str, key: Key) -> Change:
        """Remove an object; KeyError if there is none."""
        old = self._objects[storage].pop(key)
        self._forget(Ref(storage, key), old)
        self.version += 1
        return self._remember(
            Change(self.version, "DELETED", storage, key, _stamped(old, self.version), old)
        )

    def since(self, storage: str, version: int) -> Sequence[Change]:
        """Return the changes after ``version``, oldest first. HistoryCompacted if some are gone,
        or if ``version`` was never given out."""
        oldest = max(self._floor, self._compacted.get(storage, 0))
        if version < oldest or version > self.version:
            raise HistoryCompacted(version, oldest)
        log = self._log.get(storage, [])
        return log[bisect_right(log, version, key=lambda change: change.version) :]

    def objects_at(self, storage: str, version: int, namespace: str = "") -> list[Manifest]:
        """Return the objects as they were at ``version``. HistoryCompacted if it is too old."""
        held = dict(self._objects.get(storage, {}))
        for change in reversed(self.since(storage, version)):
            if change.old is None:
                held.pop(change.key, None)
            else:
                held[change.key] = change.old
        return [held[key] for key in sorted(held) if not namespace or key[0] == namespace]

    def find(self, uid: str) -> Manifest | None:
        """Return the living object with this uid."""
        ref = self._by_uid.get(uid)
        return self.get(ref.storage, ref.key) if ref else None

    def where(self, uid: str) -> Ref | None:
        return self._by_uid.get(uid)

    def dependents(self, uid: str) -> tuple[Ref, ...]:
        """Return the objects that name ``uid`` among their owners."""
        return tuple(self._dependents.get(uid, ()))

    def everything(self) -> Iterator[tuple[str, Manifest]]:
        """Yield (storage, object) of all objects."""
        for storage, held in self._objects.items():
            for manifest in list(held.values()):
                yield storage, manifest

    def in_namespace(self, namespace: str) -> list[tuple[str, Manifest]]:
        """Return (storage, object) of all objects that live in ``namespace``."""
        return [
            (storage, manifest)
            for storage, manifest in self.everything()
            if manifest["metadata"].get("namespace") == namespace
        ]

    def _remember(self, change: Change) -> Change:
        log = self._log.setdefault(change.storage, [])
        log.append(change)
        if len(log) > 2 * self._history:  # in halves: one long move for many appends
            self._compacted[change.storage] = log[-self._history - 1].version
            del log[: -self._history]
        return change

    def _place(self, ref: Ref, manifest: Manifest) -> None:
        held = self._objects.setdefault(ref.storage, {})
        if (old := held.get(ref.key)) is not None:
            self._forget(ref, old)
        held[ref.key] = manifest
        self._by_uid[manifest["metadata"]["uid"]] = ref
        for uid in owner_uids(manifest):
            self._dependents.setdefault(uid, {})[ref] = None

    def _forget(self, ref: Ref, manifest: Manifest) -> None:
        self._by_uid.pop(manifest["metadata"]["uid"], None)
        for uid in owner_uids(manifest):
            refs = self._dependents.get(uid, {})
            refs.pop(ref, None)
            if not refs:
                self._dependents.pop(uid, None)


def key_of(manifest: Manifest) -> Key:
    meta = manifest["metadata"]
    return meta.get("namespace") or "", meta["name"]


def owner_uids(manifest: Manifest) -> list[str]:
    return [owner["uid"] for owner in manifest["metadata"].get("ownerReferences") or ()]


def _stamped(manifest: Manifest, version: int) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(version)}}
