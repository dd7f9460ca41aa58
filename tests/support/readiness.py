"""Stands in for kubelet on a control plane without nodes: pods become Ready as a test says."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import PORT_ANNOTATION, is_pod_ready, is_terminating
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import PODS, Manifest
from hourglass_common.kube.watch_state import Change
from hourglass_common.runtime.system_clock import SystemClock


class PodReadiness:
    """Marks each pod of a namespace Ready that ``accepts`` takes; ``history`` keeps the watch.

    ``history`` holds, for each change that was seen, the images of the pods that were ready then.
    ``pod_ip`` is the address that each pod gets, where it gets one, and ``port`` where it listens
    on a dev cluster.
    """

    def __init__(
        self, client: KubeClient, namespace: str, accepts: Callable[[Manifest], bool]
    ) -> None:
        self.accepts = accepts
        self.pod_ip = ""
        self.port = ""
        self.history: list[tuple[str, ...]] = []
        self.pods = Reflector(
            client, PODS, namespace, on_change=self._on_change, clock=SystemClock()
        )
        self._client = client
        self._changed = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pods.run())
            while True:
                self._changed.clear()
                for pod in tuple(self.pods.objects.values()):
                    if is_terminating(pod):
                        await self._end(pod)
                    elif not is_pod_ready(pod) and self.accepts(pod):
                        await self._make_ready(pod)
                await self._changed.wait()

    def ready_images(self) -> tuple[str, ...]:
        ready = [pod for pod in self.pods.objects.values() if is_pod_ready(pod)]
        return tuple(sorted(image_of(pod) for pod in ready))

    def _on_change(self, _: Change) -> None:
        self.history.append(self.ready_images())
        self._changed.set()

    async def _make_ready(self, pod: Manifest) -> None:
        meta = pod["metadata"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status: dict[str, Any] = {"phase": "Running", "conditions": [ready]}
        if self.pod_ip:
            status |= {"podIP": self.pod_ip, "podIPs": [{"ip": self.pod_ip}]}
        place = (PODS, meta["namespace"], meta["name"])
        try:
            if self.port:
                marks = {"metadata": {"annotations": {PORT_ANNOTATION: self.port}}}
                await self._client.merge_patch(*place, marks)
            await self._client.merge_patch(*place, {"status": status}, subresource="status")
        except KubeError as error:
            if not error.is_not_found:
                raise

    async def _end(self, pod: Manifest) -> None:
        """Say that it has stopped: a pod with a place waits for that."""
        meta = pod["metadata"]
        if not (pod.get("spec") or {}).get("nodeName"):
            return
        try:
            await self._client.delete(PODS, meta["namespace"], meta["name"], grace_period_seconds=0)
        except KubeError as error:
            if not error.is_not_found:
                raise


def image_of(pod: Manifest) -> str:
    return str(pod["spec"]["containers"][0]["image"])
