"""What the EndpointSlice controller plans is valid on a real API, and the reader reads it there."""

from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.objects import endpoints_of
from hourglass_common.kube.resources import ENDPOINT_SLICES, NAMESPACES, PODS, SERVICES, Manifest
from hourglass_devcluster.model.endpointslice_plan import MANAGED_BY_LABEL, MANAGER, plan

from tests.support.control_plane import ControlPlane
from tests.support.dev_pods import LABELS, demo_container, pod, service

PORT = "devcluster.hourglass.eigenlayer.io/port"
ADDRESS = "10.1.2.3"
"""A real API takes no loopback address in a slice."""


async def test_two_pods_with_two_ports_are_two_slices_that_read_as_two_endpoints(
    real_api: ControlPlane, namespace: str
) -> None:
    async with KubeClient(await connect(real_api.kubeconfig)) as client:
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        # Without a selector, so that the controller of the real one makes no slices of its own.
        body = service("svc")
        bare = {key: value for key, value in body["spec"].items() if key != "selector"}
        made = await client.create(SERVICES, namespace, {**body, "spec": bare})
        chosen = {**made, "apiVersion": "v1", "kind": "Service"}
        chosen["spec"] = {**made["spec"], "selector": LABELS}
        pods = [await _running(client, namespace, name, port) for name, port in _PODS.items()]

        for each in plan(chosen, pods, ()).creates:
            await client.create(ENDPOINT_SLICES, namespace, each)

        selector = f"{MANAGED_BY_LABEL}={MANAGER}"
        page = await client.list(ENDPOINT_SLICES, namespace, label_selector=selector)
        assert len(page.items) == 2
        found = endpoints_of(page.items)
        assert {each.pod: each.target for each in found} == {
            name: f"{ADDRESS}:{port}" for name, port in _PODS.items()
        }
        assert all(each.ready for each in found)
        again = plan(chosen, pods, page.items)
        assert (again.creates, again.replaces, again.deletes) == ((), (), ())
        await client.delete(NAMESPACES, None, namespace)


_PODS = {"one": "20001", "two": "20002"}


async def _running(client: KubeClient, namespace: str, name: str, port: str) -> Manifest:
    body = pod(name, demo_container())
    body["metadata"]["annotations"] = {PORT: port}
    await client.create(PODS, namespace, body)
    ready = {"type": "Ready", "status": "True"}
    status: dict[str, Any] = {
        "status": {"phase": "Running", "podIP": ADDRESS, "conditions": [ready]}
    }
    return await client.merge_patch(PODS, namespace, name, status, subresource="status")
