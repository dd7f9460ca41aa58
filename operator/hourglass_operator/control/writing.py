"""Writes of Performer objects: checked as the caller, stamped with who asked, repeatable."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import PERFORMERS, Manifest
from hourglass_services.control.mask import patched
from hourglass_services.control.port import Aim, Creation
from hourglass_services.rpc.caller import current_caller

from hourglass_operator.planning.intent import CONTROL, REQUESTED_BY

from .failures import changed_since, told
from .requests import digest_of, is_repeat, remembered
from .views import Views

TRIES = 6
"""Attempts at a change that others keep getting in before."""

Make = Callable[[Manifest], dict[str, Any]]


class Tenancy(Protocol):
    """Knows what callers may put into an object beyond being allowed to write it."""

    async def check(self, old: Manifest | None, new: Manifest) -> None:
        """PERMISSION_DENIED or INVALID_ARGUMENT if the current caller may not make ``new`` of
        ``old``, None for one that is created."""
        ...


class Writing:
    """Creates and changes performers as field manager ``manager``.

    ``stamps`` is whether the caller is noted on the object: only the operator's own account may.
    """

    def __init__(
        self,
        client: KubeClient,
        views: Views,
        tenancy: Tenancy | None = None,
        *,
        manager: str = CONTROL,
        stamps: bool = True,
    ) -> None:
        self._client = client
        self._views = views
        self._tenancy = tenancy
        self._manager = manager
        self._stamps = stamps

    async def create(self, creation: Creation) -> Manifest:
        """Return what was made, or what a repeated request had made."""
        digest = digest_of(
            {"create": creation.name, "spec": creation.spec, "labels": dict(creation.labels)}
        )
        meta: dict[str, Any] = {"namespace": creation.namespace, "name": creation.name}
        if creation.labels:
            meta["labels"] = dict(creation.labels)
        bare = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": meta,
            "spec": creation.spec,
        }
        if self._tenancy is not None:
            await self._tenancy.check(None, bare)
        notes = {**self._stamp(), **remembered(None, creation.request_id, digest)}
        body = {**bare, "metadata": {**meta, **({"annotations": notes} if notes else {})}}
        with told(creation.namespace, creation.name):
            try:
                return await self._client.create(
                    PERFORMERS,
                    creation.namespace,
                    body,
                    field_manager=self._manager,
                    dry_run=creation.validate_only,
                )
            except KubeError as error:
                if not error.is_already_exists or not creation.request_id:
                    raise
                found = await self._client.get(PERFORMERS, creation.namespace, creation.name)
                if is_repeat(found, creation.request_id, digest):
                    return found
                raise

    async def change(
        self, aim: Aim, content: Mapping[str, Any], make: Make, *, asks: bool = True
    ) -> Manifest:
        """Return the performer with the patch that ``make`` gives for it as it is now.

        ``content`` is what is asked for, by which a repeat of its request id is known. Where
        somebody else wrote in between it is made again, unless ``aim`` names a version. Without
        ``asks`` it is part of something that the caller may do in any case.
        """
        digest = digest_of(content)
        fresh = False
        for _ in range(TRIES):
            current = await self.current(aim, fresh=fresh)
            if is_repeat(current, aim.request_id, digest):
                return current
            patch = make(current)
            if not patch and not aim.request_id:
                return current
            if self._tenancy is not None and asks:
                await self._tenancy.check(current, patched(current, patch))
            try:
                return await self._patch(aim, current, patch, digest)
            except KubeError as error:
                if not error.is_conflict:
                    with told(aim.namespace, aim.name):
                        raise
                fresh = True
            if aim.etag:
                break
        raise changed_since(aim.namespace, aim.name, f"after {TRIES if not aim.etag else 1} tries")

    async def current(self, aim: Aim, *, fresh: bool = False) -> Manifest:
        """Return the performer that a change begins from. NOT_FOUND; ABORTED for another etag.

        It is asked for where the cache may lag behind what the caller has seen.
        """
        key = (aim.namespace, aim.name)
        found = self._views.objects.get(key)
        if found is None or fresh or (aim.etag and _version(found) != aim.etag):
            with told(aim.namespace, aim.name):
                found = await self._client.get(PERFORMERS, aim.namespace, aim.name)
        if aim.etag and _version(found) != aim.etag:
            raise changed_since(aim.namespace, aim.name, f"its etag is {_version(found)}")
        return found

    async def _patch(
        self, aim: Aim, current: Manifest, patch: Mapping[str, Any], digest: str
    ) -> Manifest:
        notes = {**self._stamp(), **remembered(current, aim.request_id, digest)}
        marks: dict[str, Any] = {"metadata": {"resourceVersion": _version(current)}}
        if notes:
            marks["metadata"]["annotations"] = notes
        return await self._client.merge_patch(
            PERFORMERS,
            aim.namespace,
            aim.name,
            patched(patch, marks),  # the marks remove nothing: this is both in one
            field_manager=self._manager,
            dry_run=aim.validate_only,
        )

    def _stamp(self) -> dict[str, str]:
        return {REQUESTED_BY: current_caller.get().name} if self._stamps else {}


def _version(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("resourceVersion", ""))


def unreadable(namespace: str, name: str, error: ValueError) -> HourglassError:
    """Return the error for a performer whose spec this operator can not read."""
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"performer {namespace}/{name} can not be read: {error}",
        reason="UNREADABLE_OBJECT",
        hint="hourglass performer lint says what is wrong with it",
    )
