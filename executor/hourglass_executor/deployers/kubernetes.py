"""Performers as Performer objects: the operator runs them, this follows their endpoints.

Names are deterministic, so that a creation that was interrupted by a crash is found again
instead of being made twice.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.resources import GROUP
from hourglass_common.runtime.logs import get_logger
from hourglass_services.control.port import PerformerView
from hourglass_services.executor.port import EnvironmentVariable

from .choose import resolved
from .deployment import Deployment, object_name
from .performer_objects import PerformerObjects, ready_reason
from .port import InstanceInfo, Listener

log = get_logger(__name__)

GRPC_PORT = 9090
FOLLOW_AGAIN_SECONDS = 5.0


class KubernetesDeployer:
    """Implements ``Deployer``; what it deployed stays when it leaves."""

    def __init__(
        self,
        listener: Listener,
        objects: PerformerObjects,
        *,
        image_pull_policy: str = "IfNotPresent",
        call_timeout: float = 30.0,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._listener = listener
        self._objects = objects
        self._pull_policy = image_pull_policy
        self._timeout = call_timeout
        self._environ = os.environ if environ is None else environ
        self._mine: dict[str, Deployment] = {}  # by object name
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

    async def deploy(self, deployment: Deployment, handle: str | None = None) -> None:
        name = _name(deployment)
        spec = performer_spec(
            deployment,
            environment=resolved(deployment.environment, self._environ),
            image_pull_policy=self._pull_policy,
        )
        # An adopted one is followed even where the API is away: its endpoints come when it is back.
        self._mine[name] = deployment
        self._publish(name)
        try:
            async with asyncio.timeout(self._timeout):
                await self._objects.create(name, spec, object_labels(deployment))
        except TimeoutError as exc:
            raise _no_answer(deployment, self._timeout) from exc
        self._listener.handle_changed(deployment.performer_id, name)

    async def remove(self, performer_id: str) -> None:
        for name, deployment in tuple(self._mine.items()):
            if deployment.performer_id != performer_id:
                continue
            try:
                async with asyncio.timeout(self._timeout):
                    await self._objects.delete(name)
            except TimeoutError as exc:
                raise _no_answer(deployment, self._timeout) from exc
            del self._mine[name]
            self._listener.endpoints_changed(performer_id, ())

    def reason(self, performer_id: str) -> str:
        for name, deployment in self._mine.items():
            if deployment.performer_id == performer_id:
                view = self._seen.get(name)
                if view is None:
                    return f"the Performer {name} has not been seen yet"
                return ready_reason(view.manifest)
        return ""

    def instances(self, performer_id: str) -> tuple[InstanceInfo, ...]:
        return tuple(
            InstanceInfo(resource=endpoint.instance, running=endpoint.ready)
            for name, deployment in self._mine.items()
            if deployment.performer_id == performer_id and name in self._seen
            for endpoint in self._seen[name].endpoints
        )

    async def stop_all(self) -> None:
        """Performer objects are meant to outlive the executor."""

    async def _follow(self) -> None:
        """Follow the objects, whatever the other side answers: endpoints stay as last known."""
        while True:
            try:
                await self._objects.run(self._on_change)
            except HourglassError as error:
                log.error("performers can not be followed", error=str(error))
            await asyncio.sleep(FOLLOW_AGAIN_SECONDS)

    def _on_change(self, name: str, view: PerformerView | None) -> None:
        if view is None:
            self._seen.pop(name, None)
            deployment = self._mine.get(name)
            if deployment is not None and not deployment.endpoint_override:
                log.warning("performer object is gone", performer_id=deployment.performer_id)
                self._listener.endpoints_changed(deployment.performer_id, ())
            return
        self._seen[name] = view
        self._publish(name)

    def _publish(self, name: str) -> None:
        deployment = self._mine.get(name)
        if deployment is None:
            return
        endpoints: tuple[Endpoint, ...]
        if deployment.endpoint_override:
            endpoints = (
                Endpoint(
                    performer_id=deployment.performer_id,
                    revision=deployment.artifact.image,
                    instance=name,
                    address=deployment.endpoint_override,
                ),
            )
        elif name in self._seen:
            endpoints = tuple(
                replace(endpoint, performer_id=deployment.performer_id)
                for endpoint in self._seen[name].endpoints
            )
        else:
            return
        self._listener.endpoints_changed(deployment.performer_id, endpoints)


def performer_spec(
    deployment: Deployment, *, environment: Mapping[str, str], image_pull_policy: str
) -> dict[str, Any]:
    """Return the spec of the Performer object."""
    config: dict[str, Any] = {
        "grpcPort": GRPC_PORT,
        "environment": {
            "AVS_ADDRESS": deployment.avs,
            "GRPC_PORT": str(GRPC_PORT),
            **environment,
        },
    }
    kept = [found for one in deployment.environment if (found := _reference(one)) is not None]
    if kept:
        config["environmentFrom"] = kept
    if deployment.service_account:
        config["serviceAccountName"] = deployment.service_account
    return {
        "avsAddress": deployment.avs,
        "image": deployment.artifact.image,
        "imagePullPolicy": image_pull_policy,
        "version": deployment.artifact.tag or deployment.artifact.digest,
        "config": config,
        "replicas": deployment.replicas,
    }


def object_labels(deployment: Deployment) -> dict[str, str]:
    """Return the labels by which people find the object."""
    return {
        "app": "hourglass-performer",
        "app.kubernetes.io/managed-by": "hourglass-executor",
        f"{GROUP}/avs": deployment.avs,
        f"{GROUP}/performer": _name(deployment),
    }


def _reference(variable: EnvironmentVariable) -> dict[str, Any] | None:
    for kind, found in (
        ("secretKeyRef", variable.secret),
        ("configMapKeyRef", variable.config_map),
    ):
        if found is not None:
            return {
                "name": variable.name,
                "valueFrom": {kind: {"name": found.name, "key": found.key}},
            }
    return None


def _name(deployment: Deployment) -> str:
    return object_name(deployment.avs, deployment.performer_id)


def _no_answer(deployment: Deployment, seconds: float) -> HourglassError:
    return HourglassError(
        Code.UNAVAILABLE,
        f"no answer within {seconds:g} s about the Performer of {deployment.performer_id}",
        reason="KUBERNETES_AWAY",
        hint="check the Kubernetes API or PerformerControl; try again",
        retry_after=5.0,
    )
