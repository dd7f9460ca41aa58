"""Performers as Performer objects: the operator runs them, this follows their endpoints.

Names are deterministic, so that a creation that was interrupted by a crash is found again
instead of being made twice. An object is this executor's if it bears its name and its labels;
another one that has the name is never written to.
"""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from hourglass_services.control.port import PerformerView

from .choose import resolved
from .cluster_connection import ClusterConnection
from .deployment import Deployment
from .performer_objects import PerformerObjects, ready_reason
from .performer_spec import (
    handle_of,
    is_ours,
    name_of,
    object_labels,
    performer_spec,
    uid_of_handle,
)
from .port import InstanceInfo, Listener

log = get_logger(__name__)

FOLLOW_AGAIN_SECONDS = 5.0
ASK_SECONDS = 2.0
"""The time that a cluster gets which did not answer lately: a deployment then fails fast."""
RETRY_SECONDS = 5.0


@dataclass(slots=True)
class _Mine:
    """One deployment: ``uid`` is its object's, "" until it is known."""

    deployment: Deployment
    uid: str = ""
    view: PerformerView | None = None
    leaving: bool = False
    """We delete the object."""
    deleted: bool = False
    """Somebody else has deleted it."""
    making: asyncio.Task[Any] | None = None
    """The call that makes it: a caller that leaves does not stop it, and ``remove`` awaits it."""

    @property
    def performer_id(self) -> str:
        return self.deployment.performer_id

    def owns(self, manifest: Mapping[str, Any]) -> bool:
        """Whether an object that has the name is the one that was made for this deployment."""
        uid = "" if self.deployment.follows else manifest["metadata"].get("uid")
        return bool(uid and uid == self.uid) or is_ours(manifest, self.deployment)


class KubernetesDeployer:
    """Implements ``Deployer``; what it deployed stays when it leaves."""

    def __init__(
        self,
        listener: Listener,
        objects: PerformerObjects,
        *,
        connection: ClusterConnection | None = None,
        image_pull_policy: str = "IfNotPresent",
        call_timeout: float = 30.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._listener = listener
        self._objects = objects
        self._connection = connection or ClusterConnection("performers")
        self._pull_policy = image_pull_policy
        self._timeout = call_timeout
        self._environ = os.environ if environ is None else environ
        self._mine: dict[str, _Mine] = {}  # by object name
        self._seen: dict[str, PerformerView] = {}
        self._group: asyncio.TaskGroup | None = None
        self._follower: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._follower = self._group.create_task(self._follow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._group is not None
        assert self._follower is not None
        self._follower.cancel()
        await self._group.__aexit__(kind, error, trace)

    # -- Deployer

    async def deploy(self, deployment: Deployment, handle: str | None = None) -> None:
        """Also NOT_FOUND for one that ran, and whose object somebody else has deleted since."""
        name = name_of(deployment)
        # An adopted one is followed even where the API is away: its endpoints come when it is back.
        mine = self._mine[name] = _Mine(deployment, uid_of_handle(handle))
        view = self._seen.get(name)
        mine.view = view if view is not None and mine.owns(view.manifest) else None
        self._publish(mine)
        if deployment.follows:
            return  # whoever keeps it makes it, before or after
        found = await self._to_the_end(mine, self._asking(deployment, self._existing(name, mine)))
        if not mine.owns(found):
            del self._mine[name]
            raise _foreign(name)
        self._take_over(name, mine, found)

    async def remove(self, performer_id: str) -> None:
        for name, mine in tuple(self._mine.items()):
            if mine.performer_id != performer_id:
                continue
            mine.leaving = True
            if mine.making is not None:
                await asyncio.wait((mine.making,))
            if not mine.deployment.follows:
                await self._asking(mine.deployment, self._delete(name, mine))
            del self._mine[name]
            self._listener.endpoints_changed(performer_id, ())

    def reason(self, performer_id: str) -> str:
        for name, mine in self._mine.items():
            if mine.performer_id == performer_id:
                if mine.deleted:
                    return _deleted(name)
                if mine.view is None:
                    away = self._connection.is_up is False
                    why = f" ({self._connection.why})" if away else ""
                    return f"the Performer {name} has not been seen yet{why}"
                return ready_reason(mine.view.manifest)
        return ""

    def instances(self, performer_id: str) -> tuple[InstanceInfo, ...]:
        return tuple(
            InstanceInfo(resource=endpoint.instance, running=endpoint.ready)
            for mine in self._mine.values()
            if mine.performer_id == performer_id and mine.view is not None
            for endpoint in mine.view.endpoints
        )

    async def stop_all(self) -> None:
        ids = [mine.performer_id for mine in self._mine.values()]
        for performer_id in ids:  # what is deleted here is made again by the next start
            self._listener.handle_changed(performer_id, "")
        errors = await asyncio.gather(*map(self.remove, ids), return_exceptions=True)
        for performer_id, error in zip(ids, errors, strict=True):
            if error is not None:
                log.error("performer not stopped", performer_id=performer_id, error=str(error))

    def objects(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the Performer objects that are known, by performer id."""
        return {
            mine.performer_id: mine.view.manifest
            for mine in self._mine.values()
            if mine.view is not None and not mine.deleted
        }

    # -- writing

    async def _existing(self, name: str, mine: _Mine) -> Mapping[str, Any]:
        """Return the object, made now unless it was before."""
        if mine.uid:
            found = await self._objects.find(name)
            if found is None:
                self._gone(name, mine)
                raise HourglassError(
                    Code.NOT_FOUND,
                    _deleted(name),
                    reason="PERFORMER_DELETED",
                    hint="deploy its artifact again, or remove the performer",
                )
            return found
        spec = performer_spec(
            mine.deployment,
            environment=resolved(mine.deployment.environment, self._environ),
            image_pull_policy=self._pull_policy,
        )
        try:
            return await self._objects.create(name, spec, object_labels(mine.deployment))
        except HourglassError as error:
            found = None
            if error.code is Code.ALREADY_EXISTS:
                found = await self._objects.find(name)
            if found is None:
                raise
            return found

    async def _to_the_end(self, mine: _Mine, call: Coroutine[Any, Any, Any]) -> Any:
        assert self._group is not None

        async def outcome() -> Any:
            try:
                return await call
            except HourglassError as error:
                return error

        mine.making = self._group.create_task(outcome())
        found = await asyncio.shield(mine.making)
        if isinstance(found, HourglassError):
            raise found
        return found

    async def _delete(self, name: str, mine: _Mine) -> None:
        uid = mine.uid
        if not uid:
            found = await self._objects.find(name)
            if found is None or not mine.owns(found):
                return
            uid = str(found["metadata"].get("uid", ""))
        await self._objects.delete(name, uid)

    async def _asking(self, deployment: Deployment, call: Any) -> Any:
        """Return what ``call`` gives; UNAVAILABLE with a time to try again if it gives nothing."""
        seconds = min(self._timeout, ASK_SECONDS) if self._connection.is_up is False else None
        try:
            async with asyncio.timeout(seconds or self._timeout):
                return await call
        except TimeoutError as exc:
            raise _away(deployment, "no answer in time") from exc
        except HourglassError as error:
            if error.code not in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                raise
            raise _away(deployment, error.message, error.retry_after) from error

    def _take_over(self, name: str, mine: _Mine, found: Mapping[str, Any]) -> None:
        mine.deleted = False
        uid = str(found["metadata"].get("uid", ""))
        if uid and uid != mine.uid:
            mine.uid = uid
            self._listener.handle_changed(mine.performer_id, handle_of(name, uid))

    # -- following

    async def _follow(self) -> None:
        """Follow the objects, whatever the other side answers: endpoints stay as last known."""
        said = ""
        while True:
            try:
                await self._objects.run(self._on_change)
            except HourglassError as error:
                if str(error) != said:
                    said = str(error)
                    log.error("performers can not be followed", error=said)
            await asyncio.sleep(FOLLOW_AGAIN_SECONDS)

    def _on_change(self, name: str, view: PerformerView | None) -> None:
        mine = self._mine.get(name)
        if view is None:
            self._seen.pop(name, None)
            if mine is not None:
                self._gone(name, mine)
            return
        self._seen[name] = view
        if mine is None:
            return
        if not mine.owns(view.manifest):
            self._gone(name, mine)
            return
        mine.view = view
        self._take_over(name, mine, view.manifest)
        self._publish(mine)

    def _gone(self, name: str, mine: _Mine) -> None:
        mine.view = None
        if not (mine.deleted or mine.leaving):
            mine.deleted = True
            log.error(
                "performer deleted in the cluster",
                performer_id=mine.performer_id,
                reason=_deleted(name),
            )
        if not mine.deployment.endpoint_override:
            self._listener.endpoints_changed(mine.performer_id, ())

    def _publish(self, mine: _Mine) -> None:
        deployment = mine.deployment
        if deployment.endpoint_override:
            endpoint = Endpoint(
                performer_id=deployment.performer_id,
                revision=deployment.artifact.image,
                instance=name_of(deployment),
                address=deployment.endpoint_override,
            )
            self._listener.endpoints_changed(deployment.performer_id, (endpoint,))
        elif mine.view is not None:
            self._listener.endpoints_changed(
                deployment.performer_id,
                tuple(
                    replace(endpoint, performer_id=deployment.performer_id)
                    for endpoint in mine.view.endpoints
                ),
            )


def _deleted(name: str) -> str:
    return f"the Performer {name} was deleted in the cluster, and not by this executor"


def _foreign(name: str) -> HourglassError:
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"a Performer {name} is there already that no executor made for this deployment",
        reason="PERFORMER_NOT_OURS",
        hint="it is left alone: deploy again, which takes another name",
    )


def _away(deployment: Deployment, why: str, retry_after: float | None = None) -> HourglassError:
    return HourglassError(
        Code.UNAVAILABLE,
        f"the cluster does not answer about the Performer of {deployment.performer_id}: {why}",
        reason="KUBERNETES_AWAY",
        hint="performers that run go on; try again once the Kubernetes API or PerformerControl "
        "is back",
        retry_after=retry_after or RETRY_SECONDS,
    )
