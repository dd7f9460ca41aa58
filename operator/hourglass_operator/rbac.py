"""The rights that the operator needs, as manifests. Pure.

No more than it uses: no wildcard, no Secrets, no exec, no rights to give rights. It reads Secrets
and ConfigMaps nowhere: kubelet does, for the pods.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    SUBJECT_ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    Resource,
)

from .runtime.leader import LEASE_NAME

Manifest = Mapping[str, Any]

_GROUP = "rbac.authorization.k8s.io"
_FOLLOW = ("list", "watch")


def rbac_manifests(
    *, name: str, namespace: str, watch_namespaces: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the ServiceAccount ``name`` in ``namespace``, its roles and their bindings.

    With ``watch_namespaces`` it gets a Role in each of them; beyond them it may ask who a token is
    and what somebody may do, and no more.
    """
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _meta(name, name, namespace),
    }
    found: list[dict[str, Any]] = [account]
    rules = performer_rules()
    for where in watch_namespaces or (None,):
        found += _granted(name, rules, to=(name, namespace), where=where)
    access = f"{name}-access"
    found += _granted(access, access_rules(), to=(name, namespace), where=None)
    election = f"{name}-leader-election"
    return found + _granted(election, election_rules(), to=(name, namespace), where=namespace)


def performer_rules() -> list[dict[str, Any]]:
    """Return what is needed wherever performers are."""
    return [
        # create, patch and delete are PerformerControl's
        _rule(PERFORMERS, "get", *_FOLLOW, "create", "patch", "delete"),
        _rule(PERFORMERS, "update", subresource="status"),
        _rule(PERFORMERS, "patch", subresource="scale"),
        # where OwnerReferencesPermissionEnforcement is on, children need it of their owner
        _rule(PERFORMERS, "update", subresource="finalizers"),
        _rule(REPLICA_SETS, *_FOLLOW, "create", "patch", "delete"),
        _rule(PODS, *_FOLLOW, "patch"),
        _rule(PODS, "get", subresource="log"),  # PerformerControl shows it to whoever may see it
        _rule(SERVICES, *_FOLLOW, "create", "patch", "delete"),
        _rule(NETWORK_POLICIES, *_FOLLOW, "create", "patch"),
        _rule(POD_DISRUPTION_BUDGETS, *_FOLLOW, "create", "patch", "delete"),
        _rule(ENDPOINT_SLICES, *_FOLLOW),
        _rule(LEASES, *_FOLLOW, "create", "patch"),  # drain reports of executors
        _rule(EVENTS, "create"),
    ]


def access_rules() -> list[dict[str, Any]]:
    """Return what PerformerControl needs to know its callers; no namespace has these kinds."""
    return [_rule(TOKEN_REVIEWS, "create"), _rule(SUBJECT_ACCESS_REVIEWS, "create")]


def election_rules() -> list[dict[str, Any]]:
    """Return what is needed where the lease of the leader is; a name can not bound a creation."""
    own = {**_rule(LEASES, "get", "update"), "resourceNames": [LEASE_NAME]}
    return [_rule(LEASES, "create"), own]


def _rule(resource: Resource, *verbs: str, subresource: str = "") -> dict[str, Any]:
    path = f"{resource.plural}/{subresource}" if subresource else resource.plural
    return {"apiGroups": [resource.group], "resources": [path], "verbs": list(verbs)}


def _granted(
    role: str, rules: list[dict[str, Any]], *, to: tuple[str, str], where: str | None
) -> list[dict[str, Any]]:
    """Return a role in namespace ``where``, None for the cluster, and its binding."""
    account, namespace = to
    scope = "" if where else "Cluster"
    return [
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": f"{scope}Role",
            "metadata": _meta(account, role, where),
            "rules": rules,
        },
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": f"{scope}RoleBinding",
            "metadata": _meta(account, role, where),
            "roleRef": {"apiGroup": _GROUP, "kind": f"{scope}Role", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    ]


def _meta(account: str, name: str, namespace: str | None) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": "hourglass-operator",
        "app.kubernetes.io/instance": account,
        "app.kubernetes.io/part-of": "hourglass",
    }
    placed = {"namespace": namespace} if namespace else {}
    return {"name": name, **placed, "labels": labels}
