"""Garbage collection: what the removal of an owner or a namespace leaves to be done.

Driven by the store's changes, so that an idle cluster costs nothing.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.runtime.logs import get_logger

from hourglass_devcluster.model import deletion, gc
from hourglass_devcluster.model.events import is_stale
from hourglass_devcluster.model.kinds import CORE_EVENTS, NAMESPACES, Kind
from hourglass_devcluster.model.registry import Registry, Write
from hourglass_devcluster.model.status import ApiError
from hourglass_devcluster.model.store import Change, Ref, key_of
from hourglass_devcluster.model.tree import copied

Manifest = Mapping[str, Any]
log = get_logger(__name__)


class Garbage:
    """``note`` every change, then ``collect`` what is due."""

    def __init__(self, registry: Registry, kinds: tuple[Kind, ...], clock: Clock) -> None:
        self._registry = registry
        self._kinds = {kind.stored_as: kind for kind in kinds}
        self._clock = clock
        self._due: deque[Ref] = deque()

    @property
    def is_due(self) -> bool:
        return bool(self._due)

    def note(self, change: Change) -> None:
        """Remember whom ``change`` concerns."""
        store = self._registry.store
        meta = change.new["metadata"]
        if change.type == "DELETED" or meta.get("deletionTimestamp"):
            self._due.extend(store.dependents(meta["uid"]))
        if change.type == "DELETED":
            owners = (store.where(uid) for uid in gc.touched_by_removal(change.new))
            self._due.extend(ref for ref in owners if ref is not None)
            if (home := change.key[0]) and self._is_ending(home):
                self._due.append(Ref(NAMESPACES.stored_as, ("", home)))
        elif meta.get("deletionTimestamp") or meta.get("ownerReferences"):
            self._due.append(Ref(change.storage, change.key))

    def note_everything(self) -> None:
        """Look at all objects, as after a start: changes may have been cut off half-way."""
        for storage, manifest in self._registry.store.everything():
            self._due.append(Ref(storage, key_of(manifest)))

    def drop_stale_events(self) -> None:
        """Delete the events that are too old to tell anything."""
        now = self._clock.wall()
        for event in self._registry.store.objects(CORE_EVENTS.stored_as):
            if is_stale(event, now):
                self._delete(CORE_EVENTS, event, "Background", Write(now=now))

    def collect(self, steps: int = 100) -> None:
        """Do what is due, at most ``steps`` of it, so that requests get their turn."""
        for _ in range(min(steps, len(self._due))):
            ref = self._due.popleft()
            kind = self._kinds.get(ref.storage)
            manifest = self._registry.store.get(ref.storage, ref.key)
            if kind is None or manifest is None:
                continue
            try:
                self._examine(kind, ref, manifest)
            except ApiError as exc:
                log.warning("garbage not collected", kind=kind.kind, error=exc.message)

    def _examine(self, kind: Kind, ref: Ref, manifest: Manifest) -> None:
        store = self._registry.store
        if kind is NAMESPACES:
            self._end_namespace(manifest)
            return
        uid = manifest["metadata"]["uid"]
        refs = store.dependents(uid)
        found = (store.get(each.storage, each.key) for each in refs)
        dependents = [each for each in found if each is not None]
        write = Write(now=self._clock.wall(), manager="garbage-collector")
        match gc.examine(manifest, store.find, dependents):
            case None:
                return
            case gc.Delete(propagation=how):
                self._delete(kind, manifest, how, write)
            case gc.DropOwners(uids=uids):
                new = copied(manifest)
                kept = [
                    each for each in new["metadata"]["ownerReferences"] if each["uid"] not in uids
                ]
                new["metadata"].pop("ownerReferences")
                if kept:
                    new["metadata"]["ownerReferences"] = kept
                self._registry.amend(kind, manifest, new, write)
                # An owner that waits to let go of its dependents has one less.
                owners = (store.where(each) for each in uids)
                self._due.extend(each for each in owners if each is not None)
            case gc.DropFinalizer(finalizer=finalizer):
                new = copied(manifest)
                new["metadata"]["finalizers"].remove(finalizer)
                if not new["metadata"]["finalizers"]:
                    new["metadata"].pop("finalizers")
                self._registry.amend(kind, manifest, new, write)

    def _delete(self, kind: Kind, manifest: Manifest, how: str, write: Write) -> None:
        meta = manifest["metadata"]
        options = deletion.options_of(
            {"propagationPolicy": how, "preconditions": {"uid": meta["uid"]}}, {}
        )
        self._registry.delete(kind, meta.get("namespace") or "", meta["name"], options, write)

    def _is_ending(self, namespace: str) -> bool:
        found = self._registry.store.get(NAMESPACES.stored_as, ("", namespace))
        return found is not None and "deletionTimestamp" in found["metadata"]

    def _end_namespace(self, namespace: Manifest) -> None:
        """Delete what is in a namespace that is to go; let it go once it is empty."""
        name = namespace["metadata"]["name"]
        if not self._is_ending(name):
            return
        write = Write(now=self._clock.wall(), manager="namespace-controller")
        contents = self._registry.store.in_namespace(name)
        for storage, manifest in contents:
            if "deletionTimestamp" not in manifest["metadata"]:
                self._delete(self._kinds[storage], manifest, "Background", write)
        if not self._registry.store.in_namespace(name):
            new = copied(namespace)
            new["spec"]["finalizers"] = []
            self._registry.amend(NAMESPACES, namespace, new, write)
