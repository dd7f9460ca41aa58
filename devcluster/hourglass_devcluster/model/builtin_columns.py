"""The printer columns of the built-in kinds."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .ages import age_of
from .kinds import Kind
from .selectors import selector_text

Manifest = Mapping[str, Any]
_Columns = tuple[tuple[str, str, int], ...]  # name, type, priority (1: only with -o wide)

PLAIN: _Columns = (("Name", "string", 0), ("Age", "string", 0))
COLUMNS: Mapping[str, _Columns] = {
    "pods": (
        ("Name", "string", 0),
        ("Ready", "string", 0),
        ("Status", "string", 0),
        ("Restarts", "string", 0),
        ("Age", "string", 0),
        ("IP", "string", 1),
        ("Node", "string", 1),
        ("Nominated Node", "string", 1),
        ("Readiness Gates", "string", 1),
    ),
    "services": (
        ("Name", "string", 0),
        ("Type", "string", 0),
        ("Cluster-IP", "string", 0),
        ("External-IP", "string", 0),
        ("Port(s)", "string", 0),
        ("Age", "string", 0),
        ("Selector", "string", 1),
    ),
    "replicasets.apps": (
        ("Name", "string", 0),
        ("Desired", "integer", 0),
        ("Current", "integer", 0),
        ("Ready", "integer", 0),
        ("Age", "string", 0),
        ("Containers", "string", 1),
        ("Images", "string", 1),
        ("Selector", "string", 1),
    ),
    "endpointslices.discovery.k8s.io": (
        ("Name", "string", 0),
        ("AddressType", "string", 0),
        ("Ports", "string", 0),
        ("Endpoints", "string", 0),
        ("Age", "string", 0),
    ),
    "events": (
        ("Last Seen", "string", 0),
        ("Type", "string", 0),
        ("Reason", "string", 0),
        ("Object", "string", 0),
        ("Subobject", "string", 1),
        ("Source", "string", 1),
        ("Message", "string", 0),
        ("First Seen", "string", 1),
        ("Count", "string", 1),
        ("Name", "string", 1),
    ),
    "configmaps": (("Name", "string", 0), ("Data", "string", 0), ("Age", "string", 0)),
    "secrets": (
        ("Name", "string", 0),
        ("Type", "string", 0),
        ("Data", "string", 0),
        ("Age", "string", 0),
    ),
    "leases.coordination.k8s.io": (
        ("Name", "string", 0),
        ("Holder", "string", 0),
        ("Age", "string", 0),
    ),
    "namespaces": (("Name", "string", 0), ("Status", "string", 0), ("Age", "string", 0)),
    "networkpolicies.networking.k8s.io": (
        ("Name", "string", 0),
        ("Pod-Selector", "string", 0),
        ("Age", "string", 0),
    ),
    "poddisruptionbudgets.policy": (
        ("Name", "string", 0),
        ("Min Available", "string", 0),
        ("Max Unavailable", "string", 0),
        ("Allowed Disruptions", "integer", 0),
        ("Age", "string", 0),
    ),
}


def cells(kind: Kind, item: Manifest, now: datetime) -> list[Any]:
    """Return the cells of one object, in the order of its kind's columns."""
    age = age_of(item["metadata"].get("creationTimestamp"), now) or "<unknown>"
    row = _ROWS.get(kind.stored_as)
    return [item["metadata"]["name"], age] if row is None else row(item, age, now)


def _pod(pod: Manifest, age: str, now: datetime) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    statuses = status.get("containerStatuses") or ()
    ready = sum(1 for each in statuses if each.get("ready"))
    restarts = sum(each.get("restartCount", 0) for each in statuses)
    return [
        pod["metadata"]["name"],
        f"{ready}/{len(spec.get('containers') or ())}",
        _pod_status(pod),
        _restarts(restarts, statuses, now),
        age,
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        "<none>",
    ]


def _pod_status(pod: Manifest) -> str:
    status = pod.get("status") or {}
    said = str(status.get("reason") or status.get("phase") or "Unknown")
    for each in reversed(status.get("containerStatuses") or ()):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason"):
            said = waiting["reason"]
        elif ended:
            said = ended.get("reason") or f"ExitCode:{ended.get('exitCode', 0)}"
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return said


def _restarts(count: int, statuses: Any, now: datetime) -> str:
    ends = [
        ((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        for each in statuses
    ]
    latest = max((each for each in ends if each), default=None)
    return f"{count} ({age_of(latest, now)} ago)" if count and latest else str(count)


def _service(service: Manifest, age: str, now: datetime) -> list[Any]:
    spec = service.get("spec") or {}
    ports = [
        f"{each.get('port')}{':' + str(each['nodePort']) if each.get('nodePort') else ''}"
        f"/{each.get('protocol', 'TCP')}"
        for each in spec.get("ports") or ()
    ]
    external = spec.get("externalName") or ",".join(spec.get("externalIPs") or ()) or "<none>"
    return [
        service["metadata"]["name"],
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        external,
        ",".join(ports) or "<none>",
        age,
        _pairs(spec.get("selector")) or "<none>",
    ]


def _replica_set(replicas: Manifest, age: str, now: datetime) -> list[Any]:
    spec, status = replicas.get("spec") or {}, replicas.get("status") or {}
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return [
        replicas["metadata"]["name"],
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age,
        ",".join(each.get("name", "") for each in containers),
        ",".join(each.get("image", "") for each in containers),
        selector_text(spec.get("selector")) or "<none>",
    ]


def _endpoint_slice(slice_: Manifest, age: str, now: datetime) -> list[Any]:
    ports = [str(each.get("port", "*")) for each in slice_.get("ports") or ()]
    addresses = [
        address
        for endpoint in slice_.get("endpoints") or ()
        for address in endpoint.get("addresses") or ()
    ]
    return [
        slice_["metadata"]["name"],
        slice_.get("addressType", ""),
        _few(ports, "<unset>"),
        _few(addresses, "<unset>"),
        age,
    ]


def _few(words: list[str], none: str) -> str:
    if len(words) > 3:
        return f"{','.join(words[:3])} + {len(words) - 3} more..."
    return ",".join(words) or none


def _event(event: Manifest, age: str, now: datetime) -> list[Any]:
    event = {
        **event,
        "involvedObject": event.get("involvedObject") or event.get("regarding") or {},
        "message": event.get("message") or event.get("note") or "",
        "source": event.get("source") or event.get("deprecatedSource") or {},
    }
    series = event.get("series") or {}
    first = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp")
    first = first or event.get("eventTime")
    last = series.get("lastObservedTime") or event.get("lastTimestamp")
    last = last or event.get("deprecatedLastTimestamp") or first
    count = series.get("count") or event.get("count") or event.get("deprecatedCount") or 1
    involved, source = event["involvedObject"], event["source"]
    reporter = source.get("component") or event.get("reportingComponent")
    reporter = reporter or event.get("reportingController") or ""
    host = source.get("host") or ""
    return [
        age_of(last, now) or "<unknown>",
        event.get("type", ""),
        event.get("reason", ""),
        f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        f"{reporter}, {host}" if host else reporter,
        str(event["message"]).strip(),
        age_of(first, now) or "<unknown>",
        str(count),
        event["metadata"]["name"],
    ]


def _config_map(item: Manifest, age: str, now: datetime) -> list[Any]:
    count = len(item.get("data") or {}) + len(item.get("binaryData") or {})
    return [item["metadata"]["name"], count, age]


def _secret(item: Manifest, age: str, now: datetime) -> list[Any]:
    return [item["metadata"]["name"], item.get("type", ""), len(item.get("data") or {}), age]


def _lease(item: Manifest, age: str, now: datetime) -> list[Any]:
    return [item["metadata"]["name"], (item.get("spec") or {}).get("holderIdentity", ""), age]


def _namespace(item: Manifest, age: str, now: datetime) -> list[Any]:
    return [item["metadata"]["name"], (item.get("status") or {}).get("phase", ""), age]


def _network_policy(item: Manifest, age: str, now: datetime) -> list[Any]:
    selector = (item.get("spec") or {}).get("podSelector")
    return [item["metadata"]["name"], selector_text(selector) or "<none>", age]


def _pod_disruption_budget(item: Manifest, age: str, now: datetime) -> list[Any]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    return [
        item["metadata"]["name"],
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status.get("disruptionsAllowed", 0),
        age,
    ]


def _pairs(labels: Manifest | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


_ROWS: Mapping[str, Callable[[Manifest, str, datetime], list[Any]]] = {
    "pods": _pod,
    "services": _service,
    "replicasets.apps": _replica_set,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "events": _event,
    "configmaps": _config_map,
    "secrets": _secret,
    "leases.coordination.k8s.io": _lease,
    "namespaces": _namespace,
    "networkpolicies.networking.k8s.io": _network_policy,
    "poddisruptionbudgets.policy": _pod_disruption_budget,
}
