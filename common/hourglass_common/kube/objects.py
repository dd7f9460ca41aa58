"""Readers of Kubernetes objects: small, total, for JSON that may lack any field."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .resources import Manifest
from .watch_state import key_of

SERVICE_NAME = "kubernetes.io/service-name"
"""The label that names the Service of an EndpointSlice."""
PORT_ANNOTATION = "devcluster.hourglass.eigenlayer.io/port"
"""Where a pod of the dev cluster really listens: all of them share the loopback address."""
GRPC_PORT_NAME = "grpc"

__all__ = [
    "GRPC_PORT_NAME",
    "PORT_ANNOTATION",
    "SERVICE_NAME",
    "EndpointAddress",
    "annotations",
    "condition",
    "controller_of",
    "endpoints_of",
    "grpc_target",
    "is_over",
    "is_pod_ready",
    "is_terminating",
    "key_of",
    "labels",
    "owner_reference",
    "uid",
]


def uid(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("uid", ""))


def labels(manifest: Manifest) -> Mapping[str, str]:
    return manifest["metadata"].get("labels") or {}


def annotations(manifest: Manifest) -> Mapping[str, str]:
    return manifest["metadata"].get("annotations") or {}


def is_terminating(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("deletionTimestamp"))


def controller_of(manifest: Manifest) -> str:
    """Return the uid of the object's controller, "" if it has none."""
    for reference in manifest["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference.get("uid", ""))
    return ""


def owner_reference(owner: Manifest) -> dict[str, Any]:
    """Return the reference that makes ``owner`` the controller of a child."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(manifest: Manifest, kind: str) -> Manifest | None:
    """Return the condition of type ``kind`` from the status, None if it has none."""
    for found in (manifest.get("status") or {}).get("conditions") or ():
        if found.get("type") == kind:
            return dict(found)
    return None


def is_pod_ready(pod: Manifest) -> bool:
    """Return whether the pod takes traffic: Ready, and not on its way out."""
    ready = condition(pod, "Ready")
    return ready is not None and ready.get("status") == "True" and not is_terminating(pod)


def is_over(pod: Manifest) -> bool:
    """Return whether the pod has ended for good: it was evicted, or its node is gone."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def grpc_target(pod: Manifest) -> str | None:
    """Return where the pod takes calls, as gRPC takes it; None while it has no address."""
    host = str((pod.get("status") or {}).get("podIP") or "")
    port = annotations(pod).get(PORT_ANNOTATION) or _declared_port(pod)
    return _target(host, port) if host and port else None


def _declared_port(pod: Manifest) -> int | None:
    for container in (pod.get("spec") or {}).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == GRPC_PORT_NAME:
                return int(port["containerPort"])
    return None


def _target(host: str, port: int | str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """One address of a Service: ``pod`` is the name of its pod, or the address without one."""

    pod: str
    address: str
    port: int
    ready: bool
    serving: bool
    terminating: bool

    @property
    def target(self) -> str:
        """The address as gRPC takes it: ``host:port``, IPv6 in brackets."""
        return _target(self.address, self.port)


def endpoints_of(
    slices: Iterable[Manifest], port_name: str = GRPC_PORT_NAME
) -> tuple[EndpointAddress, ...]:
    """Return the endpoints of all slices of one Service, each with its own slice's port.

    The port named ``port_name`` counts, else the slice's first; a slice without ports gives
    nothing. An unset ``ready`` means ready. An endpoint in several slices is given once for each
    address; sorted by pod and port, so that equal sets are equal tuples.
    """
    found: set[EndpointAddress] = set()
    for piece in slices:
        port = _port(piece, port_name)
        if port is None:
            continue
        for endpoint in piece.get("endpoints") or ():
            given = endpoint.get("conditions") or {}
            ready = given.get("ready")
            serving = given.get("serving")
            target = (endpoint.get("targetRef") or {}).get("name")
            for address in (endpoint.get("addresses") or ())[:1]:
                found.add(
                    EndpointAddress(
                        pod=target or address,
                        address=address,
                        port=port,
                        ready=ready is not False,
                        serving=(ready is not False) if serving is None else bool(serving),
                        terminating=bool(given.get("terminating")),
                    )
                )
    return tuple(sorted(found, key=lambda e: (e.pod, e.address, e.port)))


def _port(piece: Manifest, name: str) -> int | None:
    ports = [port for port in piece.get("ports") or () if port.get("port")]
    for port in ports:
        if port.get("name") == name:
            return int(port["port"])
    return int(ports[0]["port"]) if ports else None
