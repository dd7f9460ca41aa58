"""The EndpointSlices of a Service: one for each set of ports that its pods listen on. Pure.

On a cluster all pods of a Service share a port, as each has an address of its own. Here all share
the loopback address and each has a port, so that a slice holds one pod as a rule.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .pod_spec import PORT_ANNOTATION, real_port

Manifest = Mapping[str, Any]
Ports = tuple[tuple[str, str, int], ...]
"""(name, protocol, number) of each port."""

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "devcluster.hourglass.eigenlayer.io"
_LABELS_NOT_COPIED = (SERVICE_LABEL, MANAGED_BY_LABEL)


@dataclass(frozen=True, slots=True)
class Plan:
    """``replaces`` carry the resourceVersion that they were planned from."""

    creates: tuple[Mapping[str, Any], ...] = ()
    replaces: tuple[Mapping[str, Any], ...] = ()
    deletes: tuple[Manifest, ...] = ()


def plan(service: Manifest, pods: Iterable[Manifest], slices: Iterable[Manifest]) -> Plan:
    """Return the writes that make ``slices`` those of ``service``.

    ``pods`` and ``slices`` are those of its namespace; slices of others are left alone.
    """
    mine = {piece["metadata"]["name"]: piece for piece in slices if is_of(service, piece)}
    if service["metadata"].get("deletionTimestamp"):
        return Plan()
    wanted = {each["metadata"]["name"]: each for each in wanted_slices(service, pods)}
    creates = tuple(each for name, each in wanted.items() if name not in mine)
    replaces = tuple(
        _over(mine[name], each)
        for name, each in wanted.items()
        if name in mine and not _is_same(mine[name], each)
    )
    deletes = tuple(piece for name, piece in mine.items() if name not in wanted)
    return Plan(creates, replaces, deletes)


def is_of(service: Manifest, piece: Manifest) -> bool:
    """Whether this controller made ``piece`` for ``service``."""
    labels = piece["metadata"].get("labels") or {}
    return (
        labels.get(MANAGED_BY_LABEL) == MANAGER
        and labels.get(SERVICE_LABEL) == service["metadata"]["name"]
    )


def selects(service: Manifest, pod: Manifest) -> bool:
    """Whether the pod is one of the Service's; a Service without a selector has none."""
    selector = (service.get("spec") or {}).get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def wanted_slices(service: Manifest, pods: Iterable[Manifest]) -> tuple[dict[str, Any], ...]:
    """Return the slices that should be, in the order of their names."""
    by_ports: dict[tuple[Ports, str], list[Manifest]] = {}
    for pod in pods:
        status = pod.get("status") or {}
        if not selects(service, pod) or status.get("phase") in ("Succeeded", "Failed"):
            continue
        ports = _ports(service, pod)
        address = str(status.get("podIP") or "")
        if ports and address:
            family = "IPv6" if ":" in address else "IPv4"
            by_ports.setdefault((ports, family), []).append(pod)
    found = [_slice(service, *key, members) for key, members in by_ports.items()]
    return tuple(sorted(found, key=lambda each: str(each["metadata"]["name"])))


def _ports(service: Manifest, pod: Manifest) -> Ports:
    """Return where the Service's ports are on this pod; none before the node has given it one."""
    given = str((pod["metadata"].get("annotations") or {}).get(PORT_ANNOTATION, ""))
    if not given.isdecimal():
        return ()
    container: Manifest = ((pod.get("spec") or {}).get("containers") or ({},))[0]
    found: list[tuple[str, str, int]] = []
    for port in (service.get("spec") or {}).get("ports") or ():
        target = port.get("targetPort") or port["port"]
        number = real_port(container, target, int(given))
        if number is not None:
            found.append((port.get("name") or "", port.get("protocol") or "TCP", number))
    return tuple(found)


def _slice(
    service: Manifest, ports: Ports, family: str, members: Sequence[Manifest]
) -> dict[str, Any]:
    meta = service["metadata"]
    labels = {
        key: value
        for key, value in (meta.get("labels") or {}).items()
        if key not in _LABELS_NOT_COPIED
    }
    ending = "-".join(str(number) for _, _, number in ports)
    if family != "IPv4":
        ending += f"-{family.lower()}"
    anyway = bool((service.get("spec") or {}).get("publishNotReadyAddresses"))
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-{ending}",
            "namespace": meta["namespace"],
            "labels": {**labels, SERVICE_LABEL: meta["name"], MANAGED_BY_LABEL: MANAGER},
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
        "addressType": family,
        "endpoints": [
            _endpoint(pod, anyway) for pod in sorted(members, key=lambda p: p["metadata"]["name"])
        ],
        "ports": [
            {"name": name, "protocol": protocol, "port": number} for name, protocol, number in ports
        ],
    }


def _endpoint(pod: Manifest, anyway: bool) -> dict[str, Any]:
    meta, status = pod["metadata"], pod.get("status") or {}
    serving = any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )
    leaves = bool(meta.get("deletionTimestamp"))
    node = (pod.get("spec") or {}).get("nodeName")
    placed = {"nodeName": node} if node else {}
    return {
        "addresses": [status["podIP"]],
        "conditions": {
            "ready": anyway or (serving and not leaves),
            "serving": serving,
            "terminating": leaves,
        },
        **placed,
        "targetRef": {
            "kind": "Pod",
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
    }


def _is_same(now: Manifest, wanted: Manifest) -> bool:
    """Whether the slice needs no write; what others added to its metadata does not count."""
    labels = now["metadata"].get("labels") or {}
    return bool(
        now.get("endpoints") == wanted["endpoints"]
        and now.get("ports") == wanted["ports"]
        and wanted["metadata"]["labels"].items() <= labels.items()
        and now["metadata"].get("ownerReferences") == wanted["metadata"]["ownerReferences"]
    )


def _over(now: Manifest, wanted: Manifest) -> dict[str, Any]:
    version = now["metadata"].get("resourceVersion", "")
    return {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}}
