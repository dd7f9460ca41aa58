"""The whole of it for an executor's test: dev cluster with its node, the operator, a namespace."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import PERFORMERS, Manifest
from hourglass_executor.settings import ExecutorSettings
from hourglass_operator.main import Addresses, run
from hourglass_operator.settings import ControlSettings, OperatorSettings
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.rpc.channel import open_channel

from tests.support.dev_cluster import DevCluster, client_in
from tests.support.executor_process import until
from tests.support.executor_values import AVS, configuration


def is_ready(performer: Manifest) -> bool:
    return (condition(performer, "Ready") or {}).get("status") == "True"


@dataclass
class Stage:
    """A namespace of the test's own in which the operator works and pods are processes."""

    client: KubeClient
    control: PerformerControlClient
    cluster: DevCluster
    namespace: str
    addresses: Addresses

    async def create(self, name: str, **spec: Any) -> None:
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": "Performer",
            "metadata": {"name": name},
            "spec": {"avsAddress": AVS, "image": "demo-performer:v1", **spec},
        }
        await self.client.create(PERFORMERS, self.namespace, body)
        await self.until(
            name, lambda found: (condition(found, "Ready") or {}).get("status") == "True"
        )

    async def change(self, name: str, **spec: Any) -> None:
        await self.client.merge_patch(PERFORMERS, self.namespace, name, {"spec": spec})

    async def get(self, name: str) -> Manifest:
        return await self.client.get(PERFORMERS, self.namespace, name)

    async def until(
        self, name: str, holds: Callable[[Manifest], Any], seconds: float = 30.0
    ) -> Manifest:
        async def ask() -> Manifest | None:
            found = await self.get(name)
            return found if found.get("status") and holds(found) else None

        found: Manifest = await until(ask, seconds)
        return found

    def executor(self, folder: Path, via: str, **changes: Any) -> dict[str, Any]:
        """Return the configuration of an executor that follows the Performer ``demo``."""
        kubernetes = changes.pop("kubernetes", {})
        performer = {
            "image": {"repository": "demo-performer", "tag": "v1"},
            "avsAddress": AVS,
            "deploymentMode": "kubernetes",
            "kubernetes": {"performerName": "demo"},
            **changes.pop("performer", {}),
        }
        return configuration(
            folder,
            processes={"allow": False},
            avsPerformers=[performer],
            kubernetes={
                "namespace": self.namespace,
                "inCluster": False,
                "kubeConfigPath": str(self.cluster.kubeconfig),
                "via": via,
                "performerControl": {"address": self.addresses.control},
                "deployTimeout": "30s",
                **kubernetes,
            },
            **changes,
        )

    def settings(self, folder: Path, via: str, **changes: Any) -> ExecutorSettings:
        return ExecutorSettings.model_validate(self.executor(folder, via, **changes))


@asynccontextmanager
async def stage(cluster: DevCluster, namespace: str) -> AsyncIterator[Stage]:
    """Run the operator for a namespace that is made for it."""
    settings = OperatorSettings(
        kubeconfig=str(cluster.kubeconfig),
        watch_namespaces=(namespace,),
        metrics_bind_address="0",
        health_probe_bind_address="0",
        leader_elect=False,
        control=ControlSettings(address="127.0.0.1:0"),
    )
    async with client_in(cluster, namespace) as client, asyncio.TaskGroup() as group:
        ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
        operator = group.create_task(run(settings, on_ready=ready.set_result))
        try:
            async with asyncio.timeout(30):
                addresses = await ready
            async with open_channel(addresses.control) as channel:
                control = PerformerControlClient(channel)
                yield Stage(client, control, cluster, namespace, addresses)
        finally:
            operator.cancel()
