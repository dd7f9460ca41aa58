"""Small valid objects of every kind that the programs use, without apiVersion and kind."""

from collections.abc import Callable
from typing import Any

from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    CORE_EVENTS,
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

AVS = "0xABCdef0000000000000000000000000000000001"


def says(made: Any, given: Any) -> bool:
    """Whether an object says what was given; defaults may be added to it."""
    if isinstance(given, dict):
        return all(key in made and says(made[key], value) for key, value in given.items())
    return bool(made == given)


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


def performer(name: str = "perf", **spec: Any) -> dict[str, Any]:
    return {"metadata": meta(name), "spec": {"avsAddress": AVS, "image": "demo:1", **spec}}


def pod_spec(**container: Any) -> dict[str, Any]:
    return {"containers": [{"name": "performer", "image": "demo:1", **container}]}


def pod(name: str = "pod", **labels: str) -> dict[str, Any]:
    return {"metadata": meta(name, labels=labels), "spec": pod_spec()}


def replica_set(name: str = "rs", replicas: int = 0, app: str = "") -> dict[str, Any]:
    labels = {"app": app or name}
    return {
        "metadata": meta(name, labels=labels),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec()},
        },
    }


def service(name: str = "svc", app: str = "svc", port: int = 9090) -> dict[str, Any]:
    return {
        "metadata": meta(name),
        "spec": {"selector": {"app": app}, "ports": [{"name": "grpc", "port": port}]},
    }


def endpoint_slice(name: str = "slice", port: int = 9090) -> dict[str, Any]:
    return {
        "metadata": meta(name, labels={"kubernetes.io/service-name": "svc"}),
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
        "ports": [{"name": "grpc", "port": port, "protocol": "TCP"}],
    }


def core_event(space: str, name: str = "event", about: str = "perf") -> dict[str, Any]:
    return {
        "metadata": meta(name),
        "involvedObject": {"kind": "Performer", "name": about, "namespace": space},
        "reason": "Created",
        "message": "made it",
        "type": "Normal",
        "source": {"component": "contract"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }


def event(space: str, name: str = "event", about: str = "perf") -> dict[str, Any]:
    return {
        "metadata": meta(name),
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "regarding": {"kind": "Performer", "name": about, "namespace": space},
        "reason": "Created",
        "note": "made it",
        "type": "Normal",
        "action": "Create",
        "reportingController": "hourglass.eigenlayer.io/contract",
        "reportingInstance": "contract-1",
    }


def lease(name: str = "lease") -> dict[str, Any]:
    return {
        "metadata": meta(name),
        "spec": {
            "holderIdentity": "one",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00.000000Z",
            "renewTime": "2026-01-01T00:00:00.000000Z",
            "leaseTransitions": 0,
        },
    }


def network_policy(name: str = "policy", app: str = "x", **spec: Any) -> dict[str, Any]:
    ingress = [{"from": [{"podSelector": {}}], "ports": [{"port": 9090}]}]
    selector = {"matchLabels": {"app": app}}
    return {"metadata": meta(name), "spec": {"podSelector": selector, "ingress": ingress, **spec}}


def pod_disruption_budget(name: str = "budget", app: str = "x", **spec: Any) -> dict[str, Any]:
    how = spec or {"maxUnavailable": 1}
    return {"metadata": meta(name), "spec": {"selector": {"matchLabels": {"app": app}}, **how}}


def sample(what: Resource, space: str, name: str) -> dict[str, Any]:
    """Return a valid object of a namespaced kind."""
    if what is CONFIG_MAPS:
        return {"metadata": meta(name), "data": {"key": "value"}}
    if what is SECRETS:
        return {"metadata": meta(name), "data": {"key": "dmFsdWU="}}
    if what is SERVICE_ACCOUNTS:
        return {"metadata": meta(name)}
    if what is CORE_EVENTS:
        return core_event(space, name)
    if what is EVENTS:
        return event(space, name)
    makers: dict[Resource, Callable[[str], dict[str, Any]]] = {
        PERFORMERS: performer,
        REPLICA_SETS: replica_set,
        PODS: pod,
        SERVICES: service,
        ENDPOINT_SLICES: endpoint_slice,
        LEASES: lease,
        NETWORK_POLICIES: network_policy,
        POD_DISRUPTION_BUDGETS: pod_disruption_budget,
    }
    return makers[what](name)


NAMESPACED = (
    PERFORMERS,
    REPLICA_SETS,
    PODS,
    SERVICES,
    ENDPOINT_SLICES,
    CORE_EVENTS,
    EVENTS,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    LEASES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
)
