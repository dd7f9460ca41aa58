"""Plays operator and nodes for an executor: EndpointSlices that lead to performers of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    LEASES,
    NAMESPACES,
    PERFORMERS,
    Manifest,
)

from tests.support.control_plane import ControlPlane
from tests.support.executor_process import until
from tests.support.performers import Performer


@dataclass
class PlayedCluster:
    """A namespace of the test's own, in which the test says what is behind which Service."""

    client: KubeClient
    namespace: str
    plane: ControlPlane
    made: set[str] = field(default_factory=set[str])

    async def performer(self) -> Manifest:
        """Return the one Performer object, once there is one."""

        async def there() -> Manifest | None:
            page = await self.client.list(PERFORMERS, self.namespace)
            return page.items[0] if page.items else None

        found: Manifest = await until(there)
        return found

    async def behind(self, service: str, *instances: Performer, **conditions: bool) -> None:
        """Have the Service lead to these instances, and to no others; a name is a pod's."""
        body: dict[str, Any] = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{service}-x1",
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": [{"name": "grpc", "port": instances[0].port}] if instances else [],
            "endpoints": [
                {
                    "addresses": [one.host],
                    "conditions": {"ready": True, **conditions},
                    "targetRef": {"kind": "Pod", "name": one.name},
                }
                for one in instances
            ],
        }
        assert len({one.port for one in instances}) <= 1, "one port for each slice"
        if service in self.made:
            await self.client.replace(ENDPOINT_SLICES, self.namespace, body)
        else:
            self.made.add(service)
            await self.client.create(ENDPOINT_SLICES, self.namespace, body)

    async def has_staged_service(self, name: str) -> str:
        """Have the status tell the name of a staged Service; returns it."""
        staged = f"performer-{name}-staged"
        status = {"status": {"stagedServiceName": staged}}
        await self.client.merge_patch(
            PERFORMERS, self.namespace, name, status, subresource="status"
        )
        return staged

    async def leases(self) -> tuple[Manifest, ...]:
        return (await self.client.list(LEASES, self.namespace)).items

    async def delete_performer(self, name: str) -> None:
        try:
            await self.client.delete(PERFORMERS, self.namespace, name)
        except KubeError as error:
            if not error.is_not_found:
                raise


@asynccontextmanager
async def played_cluster(plane: ControlPlane, namespace: str) -> AsyncIterator[PlayedCluster]:
    """Make the namespace; its objects are deleted on the way out."""
    connection = await connect(plane.kubeconfig)
    async with KubeClient(connection, user_agent="test") as client:  # not a program of ours
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await client.create(NAMESPACES, None, body)
        try:
            yield PlayedCluster(client, namespace, plane)
        finally:
            await client.delete(NAMESPACES, None, namespace)
