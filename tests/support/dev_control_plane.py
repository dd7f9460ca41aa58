"""The dev cluster's API server with its controllers, without a node: pods are not run."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import ENDPOINT_SLICES, PODS, REPLICA_SETS, SERVICES
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_devcluster.apiserver.server import serve
from hourglass_devcluster.controllers.endpointslice import EndpointSliceController
from hourglass_devcluster.controllers.events import EventRecorder
from hourglass_devcluster.controllers.replicaset import ReplicaSetController


class _Runs(Protocol):
    async def run(self) -> None: ...


@asynccontextmanager
async def serve_dev_control_plane(
    data_dir: Path, custom_resources: Sequence[dict[str, Any]]
) -> AsyncIterator[tuple[str, str]]:
    """Yield its URL and the administrator's token, once the controllers follow it."""
    async with serve(data_dir=data_dir, custom_resources=custom_resources) as served:

        async def authorization() -> str | None:
            return f"Bearer {served.token}"

        async with KubeClient(Connection(served.url, None, authorization)) as client:
            clock = SystemClock()
            pods, sets, services, slices = reflectors = tuple(
                Reflector(client, resource, clock=clock)
                for resource in (PODS, REPLICA_SETS, SERVICES, ENDPOINT_SLICES)
            )
            events = EventRecorder(client, "replicaset-controller", clock)
            parts: tuple[_Runs, ...] = (
                *reflectors,
                ReplicaSetController(client, sets, pods, events, clock),
                EndpointSliceController(client, services, pods, slices, clock),
                events,
            )
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(part.run()) for part in parts]
                for reflector in reflectors:
                    await reflector.wait_synced(20)
                yield served.url, served.token
                for task in running:
                    task.cancel()
