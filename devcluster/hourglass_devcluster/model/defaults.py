"""What Kubernetes fills into the built-in kinds when the writer leaves it out."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Any
from zlib import crc32

from .kinds import Kind

Manifest = Mapping[str, Any]

# Fictional, as nothing forwards these addresses: they are there because programs and columns
# expect a Service to have one. The same range as a kubeadm cluster's.
_SERVICE_NETWORK = int(IPv4Address("10.96.0.0"))
_SERVICE_ADDRESSES = 1 << 16


def fill(kind: Kind, manifest: dict[str, Any]) -> None:
    """Write the defaults of ``kind`` into ``manifest``."""
    filler = _FILLERS.get(kind.stored_as)
    if filler is not None:
        filler(manifest)


def cluster_ip(name: str, taken: set[str]) -> str:
    """Return a free address for the Service ``name``; the same name gets the same one if free."""
    start = crc32(name.encode())
    for step in range(_SERVICE_ADDRESSES):
        offset = 10 + (start + step) % (_SERVICE_ADDRESSES - 20)
        address = str(IPv4Address(_SERVICE_NETWORK + offset))
        if address not in taken:
            return address
    raise ValueError("no Service address is left")


def _section(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    section = manifest.get(name)
    if not isinstance(section, dict):
        section = {}
        manifest[name] = section
    return section


def _pod(manifest: dict[str, Any]) -> None:
    spec = _section(manifest, "spec")
    _pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        _requests(container["resources"])
    status = _section(manifest, "status")
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", _qos(manifest["spec"]))


def _pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for field in ("containers", "initContainers"):
        for container in spec.get(field) or ():
            if isinstance(container, dict):
                _container(container)


def _container(container: dict[str, Any]) -> None:
    image = str(container.get("image", ""))
    latest = "@" not in image and (":" not in image.rpartition("/")[2] or image.endswith(":latest"))
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _probe(container[name])
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if isinstance(reference, dict):
            reference.setdefault("apiVersion", "v1")


def _requests(resources: dict[str, Any]) -> None:
    """What a container of a pod is limited to, it asks for."""
    if limits := resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def _probe(probe: dict[str, Any]) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        if not probe.get(field):
            probe[field] = value
    if isinstance(probe.get("grpc"), dict):
        probe["grpc"].setdefault("service", "")
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _qos(spec: Manifest) -> str:
    containers = [each for each in spec.get("containers") or () if isinstance(each, Mapping)]
    resources = [each.get("resources") or {} for each in containers]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    guaranteed = all(
        each.get("limits") == each.get("requests") and {"cpu", "memory"} <= set(each["limits"])
        for each in resources
        if each.get("limits")
    ) and all(each.get("limits") for each in resources)
    return "Guaranteed" if guaranteed else "Burstable"


def _replica_set(manifest: dict[str, Any]) -> None:
    spec = _section(manifest, "spec")
    spec.setdefault("replicas", 1)
    _section(manifest, "status").setdefault("replicas", 0)
    template = spec.get("template")
    if isinstance(template, dict):
        _section(template, "metadata")
        _pod_spec(_section(template, "spec"))


def _service(manifest: dict[str, Any]) -> None:
    spec = _section(manifest, "spec")
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    _section(manifest, "status").setdefault("loadBalancer", {})
    for port in spec.get("ports") or ():
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _namespace(manifest: dict[str, Any]) -> None:
    labels = _section(_section(manifest, "metadata"), "labels")
    labels["kubernetes.io/metadata.name"] = manifest["metadata"]["name"]
    _section(manifest, "spec").setdefault("finalizers", ["kubernetes"])
    _section(manifest, "status").setdefault("phase", "Active")


def _secret(manifest: dict[str, Any]) -> None:
    manifest.setdefault("type", "Opaque")
    plain = manifest.pop("stringData", None)
    if plain:
        data = _section(manifest, "data")
        for name, text in plain.items():
            data[name] = b64encode(text.encode()).decode()


def _endpoint_slice(manifest: dict[str, Any]) -> None:
    manifest.setdefault("endpoints", [])
    for port in manifest.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _network_policy(manifest: dict[str, Any]) -> None:
    spec = _section(manifest, "spec")
    spec.setdefault("podSelector", {})
    for field in ("ingress", "egress"):
        if not spec.get(field):
            spec.pop(field, None)
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for port in rule.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _pod_disruption_budget(manifest: dict[str, Any]) -> None:
    _section(manifest, "spec")
    status = _section(manifest, "status")
    for count in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        status.setdefault(count, 0)


_FILLERS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "pods": _pod,
    "replicasets.apps": _replica_set,
    "services": _service,
    "namespaces": _namespace,
    "secrets": _secret,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "networkpolicies.networking.k8s.io": _network_policy,
    "poddisruptionbudgets.policy": _pod_disruption_budget,
}
