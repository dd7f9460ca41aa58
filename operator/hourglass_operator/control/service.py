"""PerformerControl over the operator's own caches and client."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any
from zlib import crc32

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.drain_report import DrainReport, drain_lease
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import parse_performer
from hourglass_common.domain.performer_rollout import Decision
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import LEASES, PERFORMERS, Manifest
from hourglass_common.kube.watch_state import Key
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.control.filters import parse_filter
from hourglass_services.control.mask import patch_of
from hourglass_services.control.port import (
    Act,
    Aim,
    Creation,
    Drained,
    Explanation,
    Filter,
    LogLine,
    LogQuery,
    Masked,
    PerformerPage,
    PerformerView,
    RevisionView,
    WatchEvent,
)

from hourglass_operator.planning.intent import CONTROL
from hourglass_operator.planning.naming import revision_of
from hourglass_operator.planning.observed import Observed

from .acts import (
    DECISIONS,
    check_decision,
    decision_of,
    decision_patch,
    flag_patch,
    refused,
    scale_patch,
    verdict,
)
from .caches import Caches
from .draining import fenced_since, wait_drained
from .explain import explain
from .failures import another_object, not_found, told
from .logs import read_logs
from .revisions import revisions_of
from .views import Views
from .watching import watch
from .writing import Tenancy, Writing, unreadable

VERDICT_SECONDS = 5.0
"""How long a decision waits for the operator's word; past it the status tells it later."""
Observe = Callable[[Key, datetime], Observed | None]


class PerformerControl:
    """Implements ``PerformerControlPort``; reads are from the caches, writes wait to be seen.

    ``observe`` gives what a plan would look at. ``manager`` is the field manager of its writes,
    and ``stamps`` whether they note the caller: only the operator's own account may.
    """

    def __init__(
        self,
        client: KubeClient,
        caches: Caches,
        observe: Observe,
        *,
        tenancy: Tenancy | None = None,
        clock: Clock | None = None,
        manager: str = CONTROL,
        stamps: bool = True,
    ) -> None:
        self._client = client
        self._observe_at = observe
        self._clock = clock or SystemClock()
        self._manager = manager
        self._views = Views(caches)
        self._writing = Writing(client, self._views, tenancy, manager=manager, stamps=stamps)

    async def create(self, creation: Creation) -> PerformerView:
        self._views.synced()
        made = await self._writing.create(creation)
        return PerformerView(made) if creation.validate_only else await self._views.seen(made)

    async def get(self, namespace: str, name: str) -> PerformerView:
        self._views.synced()
        return self._views.view((namespace, name), self._found(namespace, name))

    async def list(
        self, wanted: Filter, page_size: int, page_token: str, expression: str = ""
    ) -> PerformerPage:
        self._views.synced()
        fits = parse_filter(expression)
        pages = Pages(wanted, expression)
        after = pages.after(page_token)
        objects = self._views.objects
        keys = sorted(
            key
            for key, manifest in objects.items()
            if key > after and wanted.matches(manifest) and fits(manifest)
        )
        page = keys[:page_size]
        token = pages.token(page[-1]) if len(keys) > len(page) else ""
        return PerformerPage(tuple(self._views.view(key, objects[key]) for key in page), token)

    async def update(self, aim: Aim, masked: Masked) -> PerformerView:
        content = {
            "update": [list(path) for path in masked.paths],
            "labels": (masked.manifest.get("metadata") or {}).get("labels"),
            "spec": masked.manifest.get("spec"),
        }
        return await self._change(aim, content, lambda current: patch_of(current, masked))

    async def scale(self, aim: Aim, replicas: int) -> PerformerView:
        content = {"scale": replicas}
        return await self._change(aim, content, lambda current: scale_patch(current, replicas))

    async def act(self, act: Act, aim: Aim, revision: str = "") -> PerformerView:
        content = {"act": act.value, "revision": revision}
        if act not in DECISIONS:
            return await self._change(aim, content, lambda current: flag_patch(current, act))
        made: list[Decision] = []

        def decide(current: Manifest) -> dict[str, Any]:
            seen = self._observe(aim.namespace, aim.name)
            if seen.performer.resource_version != current["metadata"].get("resourceVersion"):
                hash_ = _hash_of(current, aim)
            else:
                hash_ = seen.revision
                check_decision(seen, decision_of(act, revision, hash_))
            made.append(decision_of(act, revision, hash_))
            return decision_patch(current, made[-1])

        view = await self._change(aim, content, decide)
        return view if aim.validate_only or not made else await self._ruled(view, made[-1])

    async def _ruled(self, view: PerformerView, decision: Decision) -> PerformerView:
        """Return the performer once the operator has looked at a decision, or is late."""
        meta = view.manifest["metadata"]
        key = (str(meta["namespace"]), str(meta["name"]))

        def looked_at() -> bool:
            now = self._views.objects.get(key)
            return now is None or verdict(now, decision) is not None

        await self._views.wait(looked_at, VERDICT_SECONDS)
        now = self._views.objects.get(key)
        if now is None:
            return view
        found = verdict(now, decision) or {}
        if found.get("outcome") == "Refused":
            raise refused(*key, str(found.get("message", "")))
        return self._views.view(key, now)

    async def drain(self, aim: Aim) -> Drained:
        self._views.synced()
        before = await self._writing.current(aim)
        view = await self._change(
            aim, {"drain": True}, lambda current: flag_patch(current, Act.FENCE)
        )
        if aim.validate_only:
            return Drained(view, "", "")
        in_flight, lost = await self._drained(aim, before)
        now = self._views.objects.get((aim.namespace, aim.name), view.manifest)
        return Drained(self._views.view((aim.namespace, aim.name), now), in_flight, lost)

    async def _drained(self, aim: Aim, before: Manifest) -> tuple[str, str]:
        """Wait for the tasks of a performer that was fenced when ``before`` was read, or since."""
        fenced = (before.get("spec") or {}).get("fence") is True
        since = fenced_since(before.get("status") or {}) if fenced else None
        key = (aim.namespace, aim.name)
        return await wait_drained(
            self._views,
            lambda: self._observe_at(key, self._clock.wall()),
            since or self._clock.wall(),
            self._clock,
        )

    async def delete(self, aim: Aim, uid: str = "", *, force: bool = False) -> None:
        self._views.synced()
        found = await self._writing.current(aim)
        own = str(found["metadata"]["uid"])
        if uid and uid != own:
            raise another_object(aim.namespace, aim.name, Code.ABORTED)
        if aim.validate_only:
            return
        etag: str | None = aim.etag or None
        if not force and self._holds_tasks(found):
            # Whoever may delete it may have it drained for that.
            await self._writing.change(
                aim, {"delete": own}, lambda current: flag_patch(current, Act.FENCE), asks=False
            )
            await self._drained(aim, found)
            etag = None  # the fence has changed it
        with told(aim.namespace, aim.name):
            await self._client.delete(
                PERFORMERS, aim.namespace, aim.name, precondition=Precondition(own, etag)
            )
        await self._views.wait(lambda: self._is_leaving((aim.namespace, aim.name), own))

    def _holds_tasks(self, manifest: Manifest) -> bool:
        """Return whether an instance may have tasks that a deletion would cut off."""
        meta = manifest["metadata"]
        view = self._views.view((meta["namespace"], meta["name"]), manifest)
        return any(e.ready for e in view.endpoints) and not meta.get("deletionTimestamp")

    def _is_leaving(self, key: Key, uid: str) -> bool:
        now = self._views.objects.get(key)
        if now is None or now["metadata"].get("uid") != uid:
            return True
        return bool(now["metadata"].get("deletionTimestamp"))

    async def explain(self, namespace: str, name: str, revision: str = "") -> Explanation:
        self._views.synced()
        view = self._views.view((namespace, name), self._found(namespace, name))
        return explain(self._observe(namespace, name), view.endpoints, revision)

    async def list_revisions(self, namespace: str, name: str) -> Sequence[RevisionView]:
        self._views.synced()
        view = self._views.view((namespace, name), self._found(namespace, name))
        return revisions_of(self._observe(namespace, name), view.endpoints)

    async def logs(self, query: LogQuery) -> AsyncIterator[LogLine]:
        self._views.synced()
        self._found(query.namespace, query.name)
        pods = self._views.caches.pods
        if pods is None:
            raise RuntimeError("PerformerControl without a cache of pods has no logs to read")
        async with aclosing(read_logs(self._client, pods, query)) as lines:
            async for line in lines:
                yield line

    async def report_drain(
        self,
        namespace: str,
        name: str,
        uid: str,
        executor: str,
        reports: Sequence[DrainReport],
    ) -> None:
        self._views.synced()
        performer = self._found(namespace, name)
        if uid and uid != performer["metadata"].get("uid"):
            raise another_object(namespace, name, Code.FAILED_PRECONDITION)
        lease = drain_lease(performer, executor, reports, self._clock.wall())
        with told(namespace, name):
            await self._put_lease(namespace, lease)

    async def _put_lease(self, namespace: str, lease: Mapping[str, Any]) -> None:
        try:
            await self._client.create(LEASES, namespace, lease, field_manager=self._manager)
        except KubeError as error:
            if not error.is_already_exists:
                raise
            name = str(lease["metadata"]["name"])
            await self._client.merge_patch(
                LEASES, namespace, name, lease, field_manager=self._manager
            )

    def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        return watch(self._views, wanted, resume_token)

    async def _change(
        self, aim: Aim, content: Mapping[str, Any], make: Callable[[Manifest], dict[str, Any]]
    ) -> PerformerView:
        self._views.synced()
        made = await self._writing.change(aim, content, make)
        return PerformerView(made) if aim.validate_only else await self._views.seen(made)

    def _found(self, namespace: str, name: str) -> Manifest:
        found = self._views.objects.get((namespace, name))
        if found is None:
            raise not_found(namespace, name)
        return found

    def _observe(self, namespace: str, name: str) -> Observed:
        try:
            seen = self._observe_at((namespace, name), self._clock.wall())
        except ValueError as error:
            raise unreadable(namespace, name, error) from error
        if seen is None:
            raise not_found(namespace, name)
        return seen


class Pages:
    """Page tokens: opaque to callers, and of use only with the filter that they were given for."""

    def __init__(self, wanted: Filter, expression: str) -> None:
        about = "\0".join((wanted.namespace, wanted.name, wanted.avs, expression))
        self._mark = f"{crc32(about.encode()):08x}"

    def token(self, last: Key) -> str:
        return f"{self._mark}.{'/'.join(last)}"

    def after(self, token: str) -> Key:
        """Return the key that a page begins after. INVALID_ARGUMENT for a token of another list."""
        if not token:
            return "", ""
        mark, _, rest = token.partition(".")
        namespace, separator, name = rest.partition("/")
        if mark != self._mark or not separator:
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                "page_token: not one that ListPerformers gave out for this filter",
                hint="start again without a page_token",
            )
        return namespace, name


def _hash_of(manifest: Manifest, aim: Aim) -> str:
    """Return the revision that a spec asks for, which the caches do not show yet."""
    try:
        return revision_of(parse_performer(manifest).spec)
    except ValueError as error:
        raise unreadable(aim.namespace, aim.name, error) from error
