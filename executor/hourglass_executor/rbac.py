"""The rights that an executor needs in kubernetes mode, as manifests. Pure.

With own credentials it needs a Role in the namespace of its performers; through PerformerControl
its account needs the rights that PerformerControl asks for, and none that reach the API past it.
"""

from collections.abc import Mapping
from typing import Any, Literal

from hourglass_common.kube.resources import ENDPOINT_SLICES, LEASES, PERFORMERS, Resource

Manifest = Mapping[str, Any]
Via = Literal["performers", "control"]

_GROUP = "rbac.authorization.k8s.io"


def executor_manifests(*, name: str, namespace: str, via: Via) -> list[dict[str, Any]]:
    """Return the ServiceAccount ``name``, its Role and the binding, all in ``namespace``."""
    labels = {
        "app.kubernetes.io/name": "hourglass-executor",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "executor",
        "app.kubernetes.io/part-of": "hourglass",
    }
    meta = {"name": name, "namespace": namespace, "labels": labels}
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": own_rules() if via == "performers" else control_rules(),
        },
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
            "subjects": [account],
        },
    ]


def own_rules() -> list[dict[str, Any]]:
    """Return what is needed with own credentials: no pods, no Secrets, no change of an object."""
    return [
        _rule(PERFORMERS, "get", "list", "watch", "create", "delete"),
        _rule(ENDPOINT_SLICES, "list", "watch"),
        _rule(LEASES, "create", "patch"),  # drain reports
    ]


def control_rules() -> list[dict[str, Any]]:
    """Return what PerformerControl asks to be allowed for what an executor calls."""
    return [
        _rule(PERFORMERS, "get", "watch", "create", "delete"),
        _rule(PERFORMERS, "update", subresource="drainreport"),
    ]


def _rule(resource: Resource, *verbs: str, subresource: str = "") -> dict[str, Any]:
    path = f"{resource.plural}/{subresource}" if subresource else resource.plural
    return {"apiGroups": [resource.group], "resources": [path], "verbs": list(verbs)}
