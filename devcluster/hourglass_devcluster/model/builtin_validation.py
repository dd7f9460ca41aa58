"""The checks of the built-in kinds that our programs and people run into."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from .kinds import DELETION_COST, Kind
from .meta import LABEL, LABEL_TEXT
from .policy_validation import network_policy_causes, pod_disruption_budget_causes
from .selectors import selector_predicate, selector_text
from .status import Cause, forbidden_field, required, unsupported, wrong

Manifest = Mapping[str, Any]
_Check = Callable[[Manifest, Manifest | None], Iterator[Cause]]


def builtin_causes(kind: Kind, new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    """Yield what is wrong with ``new``, also in view of what it replaces."""
    check = _CHECKS.get(kind.stored_as)
    return iter(()) if check is None else check(new, old)


def _pod(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    yield from _deletion_cost(new["metadata"].get("annotations") or {})
    yield from _pod_spec(new.get("spec") or {}, "spec")
    if old is not None and _frozen_part(old) != _frozen_part(new):
        yield forbidden_field(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)",
        )


def _deletion_cost(annotations: Manifest) -> Iterator[Cause]:
    cost = annotations.get(DELETION_COST)
    if cost is None:
        return
    is_number = re.fullmatch("0|-?[1-9][0-9]*", cost) is not None
    if not is_number or not -(1 << 31) <= int(cost) < 1 << 31:
        path = f"metadata.annotations[{DELETION_COST}]"
        yield wrong(path, orjson.dumps(cost).decode(), "must be a 32bit integer")


def _frozen_part(pod: Manifest) -> dict[str, Any]:
    """Return what of a pod's spec may never change; a node's name may be set once."""
    spec = {
        key: value
        for key, value in pod["spec"].items()
        if key not in ("nodeName", "activeDeadlineSeconds", "tolerations")
    }
    for field in ("containers", "initContainers"):
        if field in spec:
            spec[field] = [{**each, "image": ""} for each in spec[field]]
    return spec


def _pod_spec(spec: Manifest, path: str) -> Iterator[Cause]:
    containers = spec.get("containers") or ()
    if not containers:
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            yield from _container(container, f"{path}.{field}[{index}]", seen)
    policy = spec.get("restartPolicy")
    if policy is not None and policy not in ("Always", "OnFailure", "Never"):
        yield unsupported(f"{path}.restartPolicy", policy, ("Always", "OnFailure", "Never"))
    grace = spec.get("terminationGracePeriodSeconds", 0)
    if grace < 0:
        yield wrong(
            f"{path}.terminationGracePeriodSeconds",
            str(grace),
            "must be greater than or equal to 0",
        )


def _container(container: Manifest, path: str, seen: set[str]) -> Iterator[Cause]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{path}.name")
    elif not re.fullmatch(LABEL, name):
        yield wrong(f"{path}.name", f'"{name}"', LABEL_TEXT)
    elif name in seen:
        yield _duplicate(f"{path}.name", name)
    seen.add(name)
    if not container.get("image"):
        yield required(f"{path}.image")
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield required(f"{path}.env[{index}].name")
        if variable.get("value") and variable.get("valueFrom"):
            why = "may not be specified when `value` is not empty"
            yield wrong(f"{path}.env[{index}].valueFrom", '""', why)
    names: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        yield from _port(port.get("containerPort"), f"{path}.ports[{index}].containerPort")
        named = port.get("name")
        if named and named in names:
            yield _duplicate(f"{path}.ports[{index}].name", named)
        names.add(named)


def _port(value: Any, path: str) -> Iterator[Cause]:
    if value is None:
        yield required(path)
    elif not isinstance(value, str) and not 1 <= value <= 65535:
        yield wrong(path, str(value), "must be between 1 and 65535, inclusive")


def _replica_set(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    spec = new["spec"]
    if spec["replicas"] < 0:
        yield wrong("spec.replicas", str(spec["replicas"]), "must be greater than or equal to 0")
    selector = spec.get("selector")
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None:
        yield required("spec.selector")
    elif not selector_text(selector):
        yield wrong("spec.selector", "{}", "empty selector is invalid for deployment")
    elif not selector_predicate(selector)(labels):
        yield wrong(
            "spec.template.metadata.labels",
            orjson.dumps(labels).decode(),
            "`selector` does not match template `labels`",
        )
    yield from _pod_spec(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    if old is not None and old["spec"].get("selector") != selector:
        yield wrong("spec.selector", orjson.dumps(selector).decode(), "field is immutable")


def _service(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    spec = new["spec"]
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        yield unsupported("spec.type", spec["type"], kinds)
    ports = spec.get("ports") or ()
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    names: set[str] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = port.get("name")
        if not name and len(ports) > 1:
            yield required(f"{path}.name")
        elif name and name in names:
            yield _duplicate(f"{path}.name", name)
        names.add(name)
        yield from _port(port.get("port"), f"{path}.port")
        yield from _port(port.get("targetPort"), f"{path}.targetPort")
    had = ((old or {}).get("spec") or {}).get("clusterIP")
    if had and spec.get("clusterIP") != had and spec["type"] != "ExternalName":
        said = orjson.dumps([spec.get("clusterIP")]).decode()
        yield wrong("spec.clusterIPs[0]", said, "may not change once set")


def _endpoint_slice(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    kinds = ("FQDN", "IPv4", "IPv6")
    if not new.get("addressType"):
        yield required("addressType")
    elif new["addressType"] not in kinds:
        yield unsupported("addressType", new["addressType"], kinds)
    if old is not None and old.get("addressType") != new.get("addressType"):
        yield wrong("addressType", f'"{new.get("addressType")}"', "field is immutable")
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        if not endpoint.get("addresses"):
            yield required(f"endpoints[{index}].addresses", "must contain at least 1 item")


def _config_map(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    if not (old or {}).get("immutable"):
        return
    assert old is not None
    for field in ("data", "binaryData"):
        if old.get(field) != new.get(field):
            yield forbidden_field(field, "field is immutable when `immutable` is set")


def _secret(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    yield from _config_map(new, old)
    if old is not None and old.get("type") != new.get("type"):
        yield wrong("type", f'"{new.get("type")}"', "field is immutable")


def _event(new: Manifest, old: Manifest | None) -> Iterator[Cause]:
    involved = new.get("involvedObject") or new.get("regarding") or {}
    namespace = new["metadata"]["namespace"]
    if (involved.get("namespace") or "default") != namespace:
        yield wrong(
            "involvedObject.namespace",
            f'"{involved.get("namespace", "")}"',
            "does not match event.namespace",
        )


def _duplicate(path: str, value: str) -> Cause:
    return Cause("FieldValueDuplicate", f'Duplicate value: "{value}"', path)


_CHECKS: Mapping[str, _Check] = {
    "pods": _pod,
    "replicasets.apps": _replica_set,
    "services": _service,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "configmaps": _config_map,
    "secrets": _secret,
    "events": _event,
    "networkpolicies.networking.k8s.io": network_policy_causes,
    "poddisruptionbudgets.policy": pod_disruption_budget_causes,
}
