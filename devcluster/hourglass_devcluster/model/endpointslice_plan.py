"""The EndpointSlices of a Service, from its pods: one for each distinct set of ports. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from .replicaset_plan import is_ready

Manifest = Mapping[str, Any]

PORT_ANNOTATION = "devcluster.hourglass.eigenlayer.io/port"
"""The loopback port that the node agent gave to the pod's first container port."""
MANAGER = "endpointslice-controller.devcluster.hourglass.eigenlayer.io"
SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"

Ports = tuple[tuple[str, int, str], ...]


def plan_slices(service: Manifest, pods: Sequence[Manifest]) -> dict[str, dict[str, Any]]:
    """Return the wanted slices by name; ``pods`` are those of the Service's namespace."""
    selector = service["spec"].get("selector") or {}
    if not selector:
        return {}
    grouped: dict[Ports, list[Manifest]] = {}
    for pod in sorted(pods, key=lambda p: str(p["metadata"]["name"])):
        if _selected(pod, selector) and (pod.get("status") or {}).get("podIP"):
            ports = _ports(service, pod)
            if ports:
                grouped.setdefault(ports, []).append(pod)
    found = {}
    for ports, members in sorted(grouped.items()):
        slice_ = _slice(service, ports, members)
        found[slice_["metadata"]["name"]] = slice_
    return found


def _selected(pod: Manifest, selector: Mapping[str, str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed") and all(
        labels.get(key) == value for key, value in selector.items()
    )


def _ports(service: Manifest, pod: Manifest) -> Ports:
    """Return (name, port, protocol) for each of the Service's ports that the pod has."""
    declared = [port for c in pod["spec"]["containers"] for port in c.get("ports") or ()]
    first = declared[0]["containerPort"] if declared else None
    given = (pod["metadata"].get("annotations") or {}).get(PORT_ANNOTATION, "")
    found: list[tuple[str, int, str]] = []
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        number = next((d["containerPort"] for d in declared if d.get("name") == target), target)
        if not isinstance(number, int):
            continue
        if given.isdecimal() and number == first:
            number = int(given)
        found.append((port.get("name", ""), number, port.get("protocol", "TCP")))
    return tuple(found)


def _slice(service: Manifest, ports: Ports, pods: Sequence[Manifest]) -> dict[str, Any]:
    meta = service["metadata"]
    suffix = "-".join(str(number) for _, number, _ in ports)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-{suffix}",
            "namespace": meta["namespace"],
            "labels": {SERVICE_LABEL: meta["name"], MANAGED_BY: MANAGER},
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod) for pod in pods],
        "ports": [
            {"name": name, "port": number, "protocol": protocol} for name, number, protocol in ports
        ],
    }


def _endpoint(pod: Manifest) -> dict[str, Any]:
    meta = pod["metadata"]
    serving = is_ready(pod)
    terminating = "deletionTimestamp" in meta
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": serving and not terminating,
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
    }
