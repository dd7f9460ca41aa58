"""The ReplicaSet controller: applies ``model.replicaset_plan``, one ReplicaSet at a time."""

from dataclasses import dataclass, field
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import controller_of, uid
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import PODS, REPLICA_SETS, Manifest
from hourglass_common.kube.watch_state import Change, Key

from hourglass_devcluster.model.replicaset_plan import (
    Expected,
    Plan,
    plan,
    reference,
    with_failure,
)

from .events import EventRecorder
from .work import Work

EXPECTATION_SECONDS = 30.0
"""After that the cache is believed again, whatever was written."""


@dataclass(slots=True)
class _Written:
    """What was written for one ReplicaSet: name or uid to the time it stops to count."""

    created: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, float] = field(default_factory=dict)
    next_number: int = 0


class ReplicaSetController:
    """Reads both caches, writes through ``client``; ``run`` until cancelled."""

    def __init__(
        self,
        client: KubeClient,
        replica_sets: Reflector,
        pods: Reflector,
        events: EventRecorder,
        clock: Clock,
    ) -> None:
        self._client = client
        self._sets = replica_sets
        self._pods = pods
        self._events = events
        self._clock = clock
        self._work = Work(clock)
        self._written: dict[str, _Written] = {}
        replica_sets.listen(self._set_changed)
        pods.listen(self._pod_changed)

    async def run(self) -> None:
        await self._sets.synced.wait()
        await self._pods.synced.wait()
        await self._work.run(self._reconcile)

    def _set_changed(self, change: Change) -> None:
        if change.kind == "deleted" and change.old is not None:
            self._written.pop(uid(change.old), None)
            return
        self._work.add(change.key)

    def _pod_changed(self, change: Change) -> None:
        for pod in (change.old, change.new):
            if pod is None:
                continue
            namespace = pod["metadata"].get("namespace", "")
            owner = controller_of(pod)
            written = self._written.get(owner)
            if written is not None:  # a pod may be gone again before the next look at the cache
                written.created.pop(pod["metadata"]["name"], None)
            for key, replica_set in self._sets.objects.items():
                # One without a controller may be adopted by any of its namespace.
                if key[0] == namespace and (not owner or uid(replica_set) == owner):
                    self._work.add(key)

    async def _reconcile(self, key: Key) -> float | None:
        replica_set = self._sets.objects.get(key)
        if replica_set is None:
            return None
        written = self._written.setdefault(uid(replica_set), _Written())
        pods = [pod for (space, _), pod in self._pods.objects.items() if space == key[0]]
        self._forget_seen(written, pods)
        expected = Expected(
            created=frozenset(written.created),
            deleted=frozenset(written.deleted),
            next_number=written.next_number,
        )
        decided = plan(replica_set, pods, expected, self._clock.wall())
        written.next_number = decided.next_number
        failure = await self._apply(replica_set, decided, written)
        await self._write_status(replica_set, decided.status, failure)
        if failure is not None:
            raise failure
        waits = bool(written.created or written.deleted)
        return EXPECTATION_SECONDS if waits and not decided.look_again else decided.look_again

    def _forget_seen(self, written: _Written, pods: list[Manifest]) -> None:
        now = self._clock.monotonic()
        names = {pod["metadata"]["name"] for pod in pods}
        staying = {uid(pod) for pod in pods if not pod["metadata"].get("deletionTimestamp")}
        written.created = {
            name: until
            for name, until in written.created.items()
            if name not in names and until > now
        }
        written.deleted = {
            each: until
            for each, until in written.deleted.items()
            if each in staying and until > now
        }

    async def _apply(
        self, replica_set: Manifest, decided: Plan, written: _Written
    ) -> KubeError | None:
        """Make the writes; return why pods could not be made, if so."""
        namespace = replica_set["metadata"]["namespace"]
        until = self._clock.monotonic() + EXPECTATION_SECONDS
        for pod in decided.adopts:
            await self._own(pod, [reference(replica_set)])
        for pod in decided.releases:
            await self._own(pod, _without(pod, uid(replica_set)))
        for pod in decided.deletes:
            written.deleted[uid(pod)] = until
            await self._delete(replica_set, pod)
        for body in decided.creates:
            name = body["metadata"]["name"]
            written.created[name] = until
            try:
                await self._client.create(PODS, namespace, body)
            except KubeError as error:
                if error.is_already_exists:
                    continue  # made before, and not yet in the cache
                written.created.pop(name, None)
                self._events.say(
                    replica_set, "Warning", "FailedCreate", f"Error creating: {error.message}"
                )
                return error
            self._events.say(replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        return None

    async def _delete(self, replica_set: Manifest, pod: Manifest) -> None:
        meta = pod["metadata"]
        try:
            await self._client.delete(
                PODS, meta["namespace"], meta["name"], precondition=Precondition(uid(pod))
            )
        except KubeError as error:
            if not error.is_not_found and not error.is_conflict:
                raise
            return  # gone, or another by that name: the cache will tell
        said = f"Deleted pod: {meta['name']}"
        self._events.say(replica_set, "Normal", "SuccessfulDelete", said)

    async def _own(self, pod: Manifest, references: list[dict[str, Any]]) -> None:
        meta = pod["metadata"]
        change = {"metadata": {"uid": uid(pod), "ownerReferences": references or None}}
        try:
            await self._client.merge_patch(PODS, meta["namespace"], meta["name"], change)
        except KubeError as error:
            if not error.is_not_found and not error.is_conflict:
                raise

    async def _write_status(
        self, replica_set: Manifest, wanted: Any, failure: KubeError | None
    ) -> None:
        now = replica_set.get("status") or {}
        status = dict(wanted)
        if failure is not None:
            status = with_failure(status, failure.message, self._clock.wall())
        had_failure = bool(now.get("conditions"))
        counts_same = all(now.get(name, 0) == value for name, value in wanted.items())
        if counts_same and had_failure == (failure is not None):
            return
        status.setdefault("conditions", None)
        meta = replica_set["metadata"]
        body = {"metadata": {"uid": meta["uid"]}, "status": status}
        try:
            await self._client.merge_patch(
                REPLICA_SETS, meta["namespace"], meta["name"], body, subresource="status"
            )
        except KubeError as error:
            if not error.is_not_found and not error.is_conflict:
                raise


def _without(pod: Manifest, owner: str) -> list[dict[str, Any]]:
    references = pod["metadata"].get("ownerReferences") or ()
    return [dict(each) for each in references if each.get("uid") != owner]
