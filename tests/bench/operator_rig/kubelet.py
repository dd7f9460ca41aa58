"""Kubelet's part, played by the bench where no kwok runs: pods are bound and turn Ready as told."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import is_terminating
from hourglass_common.kube.resources import PODS, Manifest

from tests.bench.operator_rig.bare_client import NAME, Step
from tests.bench.operator_rig.observer import Observer, Seen
from tests.bench.operator_rig.performers import JSON
from tests.bench.operator_rig.world import node_name

MERGE = "application/merge-patch+json"


def binding(pod: str, node: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }


def bind_step(namespace: str, node: str) -> Step:
    body = json.dumps(binding(NAME, node))
    return Step("POST", PODS.path(namespace, NAME, "binding"), JSON, body)


def ready_step(namespace: str) -> Step:
    """Return the step that makes a pod Ready, as kubelet would write it."""
    body = json.dumps({"status": ready_status(datetime.now(UTC))})
    return Step("PATCH", PODS.path(namespace, NAME, "status"), MERGE, body)


def ready_status(now: datetime) -> Manifest:
    since = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    container = {
        "name": "performer",
        "image": "registry.local/performer:1",
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": since}},
    }
    return {
        "phase": "Running",
        "startTime": since,
        "podIP": "10.244.0.2",
        "podIPs": [{"ip": "10.244.0.2"}],
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": since} for kind in kinds
        ],
        "containerStatuses": [container],
    }


class PlayedKubelet:
    """Binds every new pod of a namespace, makes it Ready, and ends it when it is deleted.

    ``ready_after`` None leaves pods not Ready; a deleted pod lingers for ``ends_after`` seconds.
    """

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        observer: Observer,
        *,
        ready_after: float | None,
        ends_after: float,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._observer = observer
        self._ready_after = ready_after
        self._ends_after = ends_after
        self._known: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        waiting: asyncio.Queue[Manifest] = asyncio.Queue()

        def on_event(seen: Seen) -> None:
            if seen.plural == PODS.plural and seen.kind != "DELETED":
                waiting.put_nowait(seen.found)

        for pod in self._observer.all(PODS):
            waiting.put_nowait(pod)
        self._observer.listeners.append(on_event)
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    pod = await waiting.get()
                    if self._is_first(pod, "start"):
                        group.create_task(self._start(pod))
                    if is_terminating(pod) and self._is_first(pod, "end"):
                        group.create_task(self._end(pod))
        finally:
            self._observer.listeners.remove(on_event)

    def _is_first(self, pod: Manifest, what: str) -> bool:
        key = pod["metadata"]["uid"], what
        fresh = key not in self._known
        self._known.add(key)
        return fresh

    async def _start(self, pod: Manifest) -> None:
        name = pod["metadata"]["name"]
        if not pod["spec"].get("nodeName"):
            await self._bind(name)
        if self._ready_after is None:
            return
        await asyncio.sleep(self._ready_after)
        await self._unless_gone(
            lambda: self._client.merge_patch(
                PODS,
                self._namespace,
                name,
                {"status": ready_status(datetime.now(UTC))},
                subresource="status",
            )
        )

    async def _bind(self, name: str) -> None:
        body = binding(name, node_name(len(self._known)))
        await self._unless_gone(
            lambda: self._client.create(
                PODS, self._namespace, body, name=name, subresource="binding"
            )
        )

    async def _end(self, pod: Manifest) -> None:
        await asyncio.sleep(self._ends_after)
        name = pod["metadata"]["name"]
        await self._unless_gone(
            lambda: self._client.delete(PODS, self._namespace, name, grace_period_seconds=0)
        )

    async def _unless_gone(self, ask: Callable[[], Awaitable[Manifest]]) -> None:
        try:
            await ask()
        except KubeError as error:
            if not error.is_not_found and not error.is_conflict:
                raise
