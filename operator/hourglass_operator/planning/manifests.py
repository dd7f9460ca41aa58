"""The Kubernetes objects of a Performer, as JSON. Pure."""

from typing import Any

from hourglass_common.domain.performer import GROUP, VERSION, Performer, PerformerSpec
from hourglass_common.domain.performer_pod import EnvironmentVariable
from hourglass_common.domain.schema import to_json

from .hardware import affinity, resources, tee_node_labels
from .naming import (
    FENCED,
    REVISION_LABEL,
    ROLE_LABEL,
    SERVING,
    SERVING_LABEL,
    owned_labels,
    replica_set_name,
    selector,
    service_name,
    staged_service_name,
)
from .observed import Defaults
from .target import Marks

PORT_NAME = "grpc"
CONTAINER = "performer"
PRE_STOP_SECONDS = 3
"""Time for endpoints to spread before the process is told to stop."""


def replica_set(
    performer: Performer,
    revision: str,
    replicas: int,
    notes: Marks | None = None,
    defaults: Defaults | None = None,
) -> dict[str, Any]:
    """Return the ReplicaSet of one revision. Its template is written once, here."""
    labels = {**owned_labels(performer), REVISION_LABEL: revision}
    chosen = {**selector(performer), REVISION_LABEL: revision}
    template = {
        "metadata": {"labels": {**labels, SERVING_LABEL: SERVING}},
        "spec": pod_spec(performer.spec, defaults or Defaults()),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            **_meta(performer, replica_set_name(performer.name, revision)),
            "labels": labels,
            "annotations": {key: value for key, value in (notes or {}).items() if value},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": chosen},
            "template": template,
        },
    }


def service(performer: Performer, *, revision: str = "", fenced: bool = False) -> dict[str, Any]:
    """Return the Service in front of the serving pods: of one revision, or of all.

    That of a fenced performer asks for a label that no pod has.
    """
    chosen = {**selector(performer), SERVING_LABEL: FENCED if fenced else SERVING}
    if revision:
        chosen[REVISION_LABEL] = revision
    return _service(performer, service_name(performer.name), chosen, owned_labels(performer))


def staged_service(performer: Performer, revision: str) -> dict[str, Any]:
    """Return the Service in front of the staged revision."""
    chosen = {**selector(performer), REVISION_LABEL: revision}
    labels = {**owned_labels(performer), ROLE_LABEL: "staged"}
    return _service(performer, staged_service_name(performer.name), chosen, labels)


def _service(
    performer: Performer, name: str, chosen: dict[str, str], labels: dict[str, str]
) -> dict[str, Any]:
    port = {
        "name": PORT_NAME,
        "protocol": "TCP",
        "port": performer.spec.config.grpc_port,
        "targetPort": PORT_NAME,
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_meta(performer, name), "labels": labels},
        "spec": {"type": "ClusterIP", "selector": chosen, "ports": [port]},
    }


def network_policy(performer: Performer) -> dict[str, Any]:
    """Return who may reach the pods: executors, the operator, and whom the spec names."""
    network = performer.spec.network
    ours = {
        "namespaceSelector": {},
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/part-of": "hourglass"},
            "matchExpressions": [
                {
                    "key": "app.kubernetes.io/component",
                    "operator": "In",
                    "values": ["executor", "operator"],
                }
            ],
        },
    }
    ingress = {
        "from": [ours, *map(dict, network.ingress_from)],
        "ports": [{"protocol": "TCP", "port": performer.spec.config.grpc_port}],
    }
    spec: dict[str, Any] = {
        "podSelector": {"matchLabels": selector(performer)},
        "policyTypes": ["Ingress", "Egress"] if network.egress else ["Ingress"],
        "ingress": [ingress],
    }
    if network.egress:
        spec["egress"] = [dict(rule) for rule in network.egress]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            **_meta(performer, service_name(performer.name)),
            "labels": owned_labels(performer),
        },
        "spec": spec,
    }


def disruption_budget(performer: Performer, *, revision: str = "") -> dict[str, Any]:
    """Return the budget that lets one instance at a time be evicted; unhealthy ones always."""
    chosen = selector(performer)
    if revision:
        chosen[REVISION_LABEL] = revision
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            **_meta(performer, service_name(performer.name)),
            "labels": owned_labels(performer),
        },
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": chosen},
        },
    }


def _meta(performer: Performer, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": performer.namespace,
        "ownerReferences": [owner_reference(performer)],
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


def pod_spec(spec: PerformerSpec, defaults: Defaults) -> dict[str, Any]:
    """Return the pod of a spec, confined as its security profile says."""
    account = spec.config.service_account_name
    scheduling = spec.scheduling
    restricted = (spec.security.profile or defaults.security_profile) == "Restricted"
    found: dict[str, Any] = {
        "containers": [_container(spec, restricted=restricted)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": spec.rollout.drain_timeout_seconds + PRE_STOP_SECONDS,
        "enableServiceLinks": False,
        "automountServiceAccountToken": bool(account),
    }
    if restricted:
        found["securityContext"] = {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    optional = {
        "serviceAccountName": account,
        "nodeSelector": {
            **scheduling.node_selector,
            **tee_node_labels(spec.hardware_requirements),
            **spec.hardware_requirements.custom_labels,
        },
        "tolerations": [to_json(toleration) for toleration in scheduling.tolerations],
        "affinity": affinity(spec),
        "runtimeClassName": scheduling.runtime_class,
        "priorityClassName": scheduling.priority_class_name,
        "imagePullSecrets": [
            {"name": name} for name in dict.fromkeys(s.name for s in spec.image_pull_secrets)
        ],
    }
    return found | {key: value for key, value in optional.items() if value}


def _container(spec: PerformerSpec, *, restricted: bool) -> dict[str, Any]:
    port, health = spec.config.grpc_port, spec.health
    found: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": spec.image_pull_policy,
        "ports": [{"name": PORT_NAME, "containerPort": port, "protocol": "TCP"}],
        "env": _environment(spec),
        "startupProbe": _probe(spec, period=1, failures=health.startup_seconds),
        "readinessProbe": _probe(
            spec, period=health.period_seconds, failures=health.failure_threshold
        ),
        "livenessProbe": _probe(
            spec, period=health.period_seconds, failures=2 * health.failure_threshold
        ),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
    }
    if restricted:
        found["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    optional = {
        "command": list(spec.config.command),
        "args": list(spec.config.args),
        "resources": resources(spec),
    }
    return found | {key: value for key, value in optional.items() if value}


def _probe(spec: PerformerSpec, *, period: int, failures: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"port": spec.config.grpc_port}
    if spec.health.service:
        asked["service"] = spec.health.service
    return {
        "grpc": asked,
        "periodSeconds": period,
        "timeoutSeconds": spec.health.timeout_seconds,
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
