"""The Kubernetes objects of a Performer, as JSON. Pure."""

from typing import Any

from hourglass_common.domain.performer import (
    GROUP,
    VERSION,
    EnvironmentVariable,
    Performer,
    PerformerSpec,
)
from hourglass_common.domain.schema import to_json

from .naming import (
    REVISION_LABEL,
    SERVING_LABEL,
    owned_labels,
    replica_set_name,
    selector,
    service_name,
)

PORT_NAME = "grpc"
CONTAINER = "performer"
PRE_STOP_SECONDS = 3
"""Time for endpoints to spread before the process is told to stop."""
GRACE_SECONDS = 30
_STARTUP_FAILURES = 300


def replica_set(performer: Performer, revision: str, replicas: int) -> dict[str, Any]:
    """Return the ReplicaSet of one revision. Its template is written once, here."""
    labels = {**owned_labels(performer), REVISION_LABEL: revision}
    chosen = {**selector(performer), REVISION_LABEL: revision}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": replica_set_name(performer.name, revision),
            "namespace": performer.namespace,
            "labels": labels,
            "ownerReferences": [owner_reference(performer)],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": chosen},
            "template": {
                "metadata": {"labels": {**labels, SERVING_LABEL: "true"}},
                "spec": pod_spec(performer.spec),
            },
        },
    }


def service(performer: Performer) -> dict[str, Any]:
    """Return the Service in front of every serving pod of the performer."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(performer.name),
            "namespace": performer.namespace,
            "labels": owned_labels(performer),
            "ownerReferences": [owner_reference(performer)],
        },
        "spec": {
            "type": "ClusterIP",
            "selector": {**selector(performer), SERVING_LABEL: "true"},
            "ports": [
                {
                    "name": PORT_NAME,
                    "protocol": "TCP",
                    "port": performer.spec.config.grpc_port,
                    "targetPort": PORT_NAME,
                }
            ],
        },
    }


def owner_reference(performer: Performer) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Performer",
        "name": performer.name,
        "uid": performer.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_spec(spec: PerformerSpec) -> dict[str, Any]:
    """Return the pod of a spec, confined to what Pod Security "restricted" allows."""
    account = spec.config.service_account_name
    scheduling = spec.scheduling
    found: dict[str, Any] = {
        "containers": [_container(spec)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": GRACE_SECONDS + PRE_STOP_SECONDS,
        "enableServiceLinks": False,
        "automountServiceAccountToken": bool(account),
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    optional = {
        "serviceAccountName": account,
        "nodeSelector": {**scheduling.node_selector, **spec.hardware_requirements.custom_labels},
        "tolerations": [to_json(toleration) for toleration in scheduling.tolerations],
        "affinity": dict(scheduling.affinity) if scheduling.affinity else None,
        "runtimeClassName": scheduling.runtime_class,
        "priorityClassName": scheduling.priority_class_name,
        "imagePullSecrets": [
            {"name": name} for name in dict.fromkeys(s.name for s in spec.image_pull_secrets)
        ],
    }
    return found | {key: value for key, value in optional.items() if value}


def _container(spec: PerformerSpec) -> dict[str, Any]:
    port = spec.config.grpc_port
    found: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": spec.image_pull_policy,
        "ports": [{"name": PORT_NAME, "containerPort": port, "protocol": "TCP"}],
        "env": _environment(spec),
        "startupProbe": _probe(port, failures=_STARTUP_FAILURES),
        "readinessProbe": _probe(port, failures=3),
        "livenessProbe": _probe(port, failures=30),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    optional = {
        "command": list(spec.config.command),
        "args": list(spec.config.args),
        "resources": _resources(spec),
    }
    return found | {key: value for key, value in optional.items() if value}


def _probe(port: int, *, failures: int) -> dict[str, Any]:
    return {
        "grpc": {"port": port},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        "failureThreshold": failures,
    }


def _environment(spec: PerformerSpec) -> list[dict[str, Any]]:
    """Return the variables in one order for ever: plain ones by name, then the referred ones."""
    config = spec.config
    plain = {"GRPC_PORT": str(config.grpc_port), **config.environment}
    referred = {variable.name for variable in config.environment_from}
    found: list[dict[str, Any]] = [
        {"name": name, "value": value}
        for name, value in sorted(plain.items())
        if name not in referred
    ]
    # Names are keys for a server-side apply: of a name given twice the last counts, as for kubelet.
    last = {variable.name: _referred(variable) for variable in config.environment_from}
    return found + list(last.values())


def _referred(variable: EnvironmentVariable) -> dict[str, Any]:
    source = variable.value_from
    value_from: dict[str, Any] = {}
    if source.secret_key_ref is not None:
        value_from["secretKeyRef"] = to_json(source.secret_key_ref)
    if source.config_map_key_ref is not None:
        value_from["configMapKeyRef"] = to_json(source.config_map_key_ref)
    return {"name": variable.name, "valueFrom": value_from}


def _resources(spec: PerformerSpec) -> dict[str, Any]:
    found = to_json(spec.resources)
    hardware = spec.hardware_requirements
    extended: dict[str, str] = {}
    if hardware.gpu_count > 0:
        extended[f"nvidia.com/{hardware.gpu_type or 'gpu'}"] = str(hardware.gpu_count)
    if hardware.tee_required and hardware.tee_type == "sgx":
        extended["sgx.intel.com/enclave"] = "1"
    for kind in ("requests", "limits") if extended else ():
        found[kind] = {**found.get(kind, {}), **extended}
    return found
