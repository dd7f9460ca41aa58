"""What a tenant may try to have run by an operator that may do more than itself, each with the
words of its refusal: the same from the Kubernetes API and from PerformerControl."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hourglass_common.domain.tenancy import REQUESTED_BY, Policy

from tests.support.tenants import IMAGE, SYSTEM, Rule

_DIGEST = "@sha256:" + "a" * 64
OTHER_IMAGE = f"registry.example.com/team/stealer{_DIGEST}"
SPEC: dict[str, Any] = {"avsAddress": "0xAb", "image": IMAGE}
POLICY = Policy(
    allowed_registries=("registry.example.com", "ghcr.io/team", "docker.io/team"),
    require_digest=True,
    protected_namespaces=(SYSTEM, "kube-system", "kube-public", "kube-node-lease"),
)
OWN = tuple(f"own-{n}" for n in range(8))
"""Secrets that the tenant may read."""
_GROUP = "hourglass.eigenlayer.io"
_WRITES = ("get", "list", "create", "update", "patch")
RULES = (
    Rule(_GROUP, "performers", _WRITES),
    # A tenant that wrote the status could send executors anywhere; that RBAC gave it is the worst.
    Rule(_GROUP, "performers/status", ("update", "patch")),
    Rule(_GROUP, "performers/scale", ("update", "patch")),
    Rule("", "secrets", ("get",), OWN),
    Rule("", "configmaps", ("get",), ("own-settings",)),
    Rule("", "serviceaccounts", ("use",), ("worker",)),
    Rule("scheduling.k8s.io", "priorityclasses", ("use",), ("batch",)),
    *(Rule(_GROUP, "performers", _WRITES, namespace=n) for n in POLICY.protected_namespaces),
)


@dataclass(frozen=True)
class Wish:
    """A performer as the tenant wants it; with ``before``, in the place of one that is there.

    ``says`` is part of every refusal; {namespace} and {name} stand for the performer's.
    """

    id: str
    says: str
    spec: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None
    meta_before: Mapping[str, Any] | None = None
    namespace: str = ""
    name: str = ""

    def manifest(self, namespace: str, name: str) -> dict[str, Any]:
        return _manifest(self.namespace or namespace, self.name or name, self.spec, self.meta)

    def old(self, namespace: str, name: str) -> dict[str, Any] | None:
        if self.before is None:
            return None
        return _manifest(namespace, name, self.before, self.meta_before)

    def words(self, namespace: str, name: str) -> str:
        return self.says.replace("{namespace}", namespace).replace("{name}", name)


def _manifest(
    namespace: str, name: str, spec: Mapping[str, Any], meta: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "apiVersion": f"{_GROUP}/v1alpha1",
        "kind": "Performer",
        "metadata": {"namespace": namespace, "name": name, **(meta or {})},
        "spec": {**SPEC, **spec},
    }


def secrets(*names: str, **more: Any) -> dict[str, Any]:
    """Return a spec whose environment comes from keys of these Secrets."""
    variables = [
        {"name": f"KEY_{n}", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}
        for n, name in enumerate(names)
    ]
    return config(environmentFrom=variables, **more)


def settings(name: str) -> dict[str, Any]:
    source = {"configMapKeyRef": {"name": name, "key": "k"}}
    return config(environmentFrom=[{"name": "KEY", "valueFrom": source}])


def pulls(*names: str) -> dict[str, Any]:
    return {"imagePullSecrets": [{"name": name} for name in names]}


def config(**given: Any) -> dict[str, Any]:
    return {"config": given}


def scheduling(**given: Any) -> dict[str, Any]:
    return {"scheduling": given}


def tolerates(**given: Any) -> dict[str, Any]:
    return scheduling(tolerations=[{"key": "team", "operator": "Exists"}, given])


def decision(action: str = "Promote", **given: Any) -> dict[str, Any]:
    found = {"action": action, "decidedForHash": "abc123", **given}
    return {"rollout": {"decision": found}}


def blue_green(**given: Any) -> dict[str, Any]:
    return {"strategy": {"type": "BlueGreen", "blueGreen": given}}


def _runs(field: str, right: str) -> str:
    return (
        f"{field}: whoever sets what this performer runs needs the right to {right} in namespace "
        '"{namespace}"'
    )


def _acts(field: str, act: str) -> str:
    return (
        f'{field}: whoever sets this needs the right to update performers/{act} "{{name}}" in '
        'namespace "{namespace}"'
    )


def _env(index: int, what: str = 'secrets "db"') -> str:
    return _runs(f"spec.config.environmentFrom[{index}]", f"get {what}")


_DB = secrets("db")
_PROMOTION = (
    "spec.strategy: whoever sets how this performer is promoted needs the right to update "
    'performers/promote "{name}" in namespace "{namespace}"'
)
_NODES = "spec.scheduling.tolerations: performers stay off the nodes of the control plane"
_SYSTEM = "spec.scheduling.priorityClassName: priority classes that begin with system- are for"
_KUBELET = "spec.config: variables that begin with KUBERNETES_SERVICE_ or KUBERNETES_PORT are"
_REGISTRY = (
    "spec.image: images are taken from these registries only: registry.example.com, "
    "ghcr.io/team, docker.io/team"
)
_BY_DIGEST = "spec.image: images are named by a digest here"
_NO_IMAGE = "image must be a reference such as"
_STAMP = f"metadata.annotations: the annotation {REQUESTED_BY} is set by PerformerControl alone"
_OWNER = (
    "metadata.ownerReferences: an owner that goes takes the performer with it: whoever sets one "
    'needs the right to delete performers "{name}" in namespace "{namespace}"'
)
_NOT_HERE = "metadata.namespace: no performers in this namespace: it belongs to the cluster"
_NO_SECRET = "the name of a Secret or ConfigMap must be lower case letters, digits"
_TRUE_OWNER = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "name": "gone",
    "uid": "00000000-0000-4000-8000-000000000000",
}

REFERENCES = (
    Wish("secret", _env(0), _DB),
    Wish("third secret", _env(2), secrets(*OWN[:2], "db")),
    Wish("eighth secret", _env(7), secrets(*OWN[:7], "db")),
    Wish("settings", _env(0, 'configmaps "db"'), settings("db")),
    Wish(
        "pull secret",
        _runs("spec.imagePullSecrets[0]", 'get secrets "db"'),
        pulls("db"),
    ),
    Wish(
        "eighth pull secret",
        _runs("spec.imagePullSecrets[7]", 'get secrets "db"'),
        pulls(*OWN[:7], "db"),
    ),
    *(
        Wish(
            f"account {account}",
            _runs("spec.config.serviceAccountName", f'use serviceaccounts "{account}"'),
            config(serviceAccountName=account),
        )
        for account in ("admin", "default", "hourglass-operator")
    ),
    Wish(
        "priority class",
        _runs("spec.scheduling.priorityClassName", 'use priorityclasses "urgent"'),
        scheduling(priorityClassName="urgent"),
    ),
)

TAKEN_OVER = (
    Wish("image beside a secret", _env(0), {**_DB, "image": OTHER_IMAGE}, _DB),
    Wish("command beside a secret", _env(0), secrets("db", command=["sh"]), _DB),
    Wish("arguments beside a secret", _env(0), secrets("db", args=["--leak"]), _DB),
    Wish("variable beside a secret", _env(0), secrets("db", environment={"A": "b"}), _DB),
    Wish("version beside a secret", _env(0), {**_DB, "version": "2"}, _DB),
    Wish("nodes beside a secret", _env(0), {**_DB, **scheduling(nodeSelector={"a": "b"})}, _DB),
    Wish("runtime beside a secret", _env(0), {**_DB, **scheduling(runtimeClass="own")}, _DB),
    Wish("egress beside a secret", _env(0), {**_DB, "network": {"egress": [{}]}}, _DB),
    Wish(
        "confinement beside a secret",
        _env(0),
        {**_DB, "security": {"profile": "Baseline"}},
        _DB,
    ),
    Wish("secret for another", _env(1), secrets(OWN[0], "db"), secrets(OWN[0])),
    Wish(
        "image beside a pull secret",
        _runs("spec.imagePullSecrets[0]", 'get secrets "db"'),
        {**pulls("db"), "image": OTHER_IMAGE},
        pulls("db"),
    ),
    Wish(
        "image of an account",
        _runs("spec.config.serviceAccountName", 'use serviceaccounts "admin"'),
        {**config(serviceAccountName="admin"), "image": OTHER_IMAGE},
        config(serviceAccountName="admin"),
    ),
    Wish(
        "image of a priority",
        _runs("spec.scheduling.priorityClassName", 'use priorityclasses "urgent"'),
        {**scheduling(priorityClassName="urgent"), "image": OTHER_IMAGE},
        scheduling(priorityClassName="urgent"),
    ),
)

ACTS = (
    *(
        Wish(act, _acts("spec.rollout.decision", act.lower()), decision(act), {})
        for act in ("Promote", "Abort", "Rollback")
    ),
    Wish("decided at birth", _acts("spec.rollout.decision", "promote"), decision()),
    Wish(
        "decided for another revision",
        _acts("spec.rollout.decision", "promote"),
        decision(decidedForHash="def456"),
        decision(),
    ),
    Wish("fence", _acts("spec.fence", "fence"), {"fence": True}, {}),
    Wish("unfence", _acts("spec.fence", "fence"), {"fence": False}, {"fence": True}),
    Wish("suspend", _acts("spec.suspend", "suspend"), {"suspend": True}, {}),
    Wish("resume", _acts("spec.suspend", "suspend"), {"suspend": False}, {"suspend": True}),
    Wish("out of blue-green", _PROMOTION, {}, blue_green()),
    Wish("promoted by itself", _PROMOTION, blue_green(autoPromoteAfterSeconds=1), blue_green()),
)

FORGERIES = (
    Wish("stamped", _STAMP, {}, meta={"annotations": {REQUESTED_BY: "admin"}}),
    Wish("stamped later", _STAMP, {}, {}, meta={"annotations": {REQUESTED_BY: "admin"}}),
    Wish(
        "stamped anew",
        _STAMP,
        {},
        {},
        meta={"annotations": {REQUESTED_BY: "admin"}},
        meta_before={"annotations": {REQUESTED_BY: "somebody"}},
    ),
    Wish("deleted by an owner", _OWNER, {}, {}, meta={"ownerReferences": [_TRUE_OWNER]}),
)

PLACES = (
    Wish(
        "control plane",
        _NODES,
        tolerates(key="node-role.kubernetes.io/control-plane", operator="Exists"),
    ),
    Wish(
        "master",
        _NODES,
        tolerates(key="node-role.kubernetes.io/master", effect="NoSchedule"),
    ),
    Wish("every taint", _NODES, tolerates(operator="Exists")),
    Wish("every taint of one effect", _NODES, tolerates(operator="Exists", effect="NoSchedule")),
    Wish(
        "control plane later",
        _NODES,
        tolerates(key="node-role.kubernetes.io/control-plane", operator="Exists"),
        {},
    ),
    *(
        Wish(name, _SYSTEM, scheduling(priorityClassName=name))
        for name in ("system-node-critical", "system-cluster-critical", "system-own")
    ),
    *(Wish(f"in {n}", _NOT_HERE, {}, namespace=n) for n in POLICY.protected_namespaces),
    Wish("API's address", _KUBELET, config(environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})),
    Wish(
        "API's port",
        _KUBELET,
        config(
            environmentFrom=[
                {
                    "name": "KUBERNETES_PORT",
                    "valueFrom": {"secretKeyRef": {"name": OWN[0], "key": "k"}},
                }
            ]
        ),
    ),
)

IMAGES = (
    *(
        Wish(f"image {image}", _REGISTRY, {"image": f"{image}{_DIGEST}"})
        for image in (
            "evil.example.com/team/performer",
            "registry.example.com.evil.example.com/team/performer",
            "registry.example.com:5000/team/performer",
            "notregistry.example.com/team/performer",
            "REGISTRY.EXAMPLE.COM/team/performer",
            "ghcr.io/teammate/performer",
            "ghcr.io/team-x/performer",
            "docker.io.evil.example.com/team/performer",
            "docker.io/teammate/performer",
            "docker.io/team",
            "index.docker.io/other/performer",
            "performer",
            "performer:1",
            "library/team",
            "registry/example.com/performer",
            "localhost/registry.example.com/performer",
            "localhost:5000/team/performer",
            "169.254.169.254/team/performer",
            "[::1]:5000/team/performer",
            "xn--registry-example-com.com/team/performer",
        )
    ),
    Wish("image from a command", _REGISTRY, {"image": "process://registry.example.com/x"}),
    Wish("image elsewhere later", _REGISTRY, {"image": f"evil.example.com/x{_DIGEST}"}, {}),
    Wish("image by tag", _BY_DIGEST, {"image": "registry.example.com/team/performer:1"}),
    Wish("image by nothing", _BY_DIGEST, {"image": "registry.example.com/team/performer"}),
    Wish("image by tag later", _BY_DIGEST, {"image": "registry.example.com/team/x:1"}, {}),
    *(
        Wish(f"no image {image!a}", _NO_IMAGE, {"image": image})
        for image in (
            "registry.example.com/team/performer@sha256:abc",
            f"registry.example.com@evil.example.com/team/performer{_DIGEST}",
            f"user:password@registry.example.com/team/performer{_DIGEST}",
            f"https://registry.example.com/team/performer{_DIGEST}",
            f"registry.ex\N{CYRILLIC SMALL LETTER A}mple.com/team/performer{_DIGEST}",
            f"registry.example.com/../performer{_DIGEST}",
            f"registry.example.com/team/performer{_DIGEST}\n",
            f"registry.example.com/team/performer {_DIGEST}",
            f"evil.example.com/x#registry.example.com/team{_DIGEST}",
        )
    ),
)

NAMES = (
    *(
        Wish(f"secret {name!a}", _NO_SECRET, secrets(name))
        for name in (
            "kube-system/db",
            "../db",
            "..%2fkube-system%2fdb",
            "kube-system:db",
            f"{OWN[0]}\n",
            "\N{CYRILLIC SMALL LETTER O}wn-0",
            "own\N{NON-BREAKING HYPHEN}0",
            "own-0\N{ZERO WIDTH SPACE}",
            "*",
        )
    ),
    Wish(
        "pull secret elsewhere",
        "the name of a Secret must be lower case letters",
        pulls("kube-system/db"),
    ),
    Wish(
        "key elsewhere",
        "a key of a Secret or ConfigMap must be letters, digits",
        config(
            environmentFrom=[
                {
                    "name": "KEY",
                    "valueFrom": {"secretKeyRef": {"name": OWN[0], "key": "../../token"}},
                }
            ]
        ),
    ),
    *(
        Wish(
            f"account {name!a}",
            "the name of a ServiceAccount must be lower case letters",
            config(serviceAccountName=name),
        )
        for name in ("system:serviceaccount:kube-system:x", "kube-system/x", "../x")
    ),
    Wish("more secrets than are looked at", "Too many: 9", secrets(*OWN, "db")),
    Wish("name of another Service", "performer names are DNS labels", {}, name="a.kube-system"),
    Wish("name with a path", "Invalid value", {}, name="..%2fx"),
)

HOSTILE = (*REFERENCES, *TAKEN_OVER, *ACTS, *FORGERIES, *PLACES, *IMAGES, *NAMES)

_EIGHT = {**secrets(*OWN), **pulls(*OWN)}
HARMLESS = (
    Wish("plain", "", {}),
    Wish("one own secret", "", secrets(OWN[0])),
    Wish("three own secrets", "", secrets(*OWN[:3])),
    Wish("all own secrets, twice", "", _EIGHT),
    Wish("own settings", "", settings("own-settings")),
    Wish("account", "", config(serviceAccountName="worker")),
    Wish("priority", "", scheduling(priorityClassName="batch")),
    Wish("own taint", "", tolerates(key="gpu", operator="Exists")),
    Wish("born fenced and suspended", "", {"fence": True, "suspend": True}),
    Wish("own part of a registry", "", {"image": f"ghcr.io/team/a/performer:1{_DIGEST}"}),
    Wish("own part of Docker Hub", "", {"image": f"team/performer{_DIGEST}"}),
    Wish("index of Docker Hub", "", {"image": f"index.docker.io/team/performer{_DIGEST}"}),
    Wish("own namespace's name", "", config(environment={"KUBERNETES_NAMESPACE": "a"})),
    Wish("owned", "", {}, meta={"ownerReferences": [_TRUE_OWNER]}),
    Wish("other image", "", {**_EIGHT, "image": OTHER_IMAGE}, _EIGHT),
    Wish("label beside a secret", "", _DB, _DB, meta={"labels": {"team": "a"}}),
    Wish("replicas beside a secret", "", {**_DB, "replicas": 3}, _DB),
    Wish("deadline beside a secret", "", {**_DB, "rollout": {"drainTimeoutSeconds": 9}}, _DB),
    Wish("default written out", "", {**_DB, "imagePullPolicy": "IfNotPresent"}, _DB),
    Wish("secret left out", "", {}, _DB),
    Wish("into blue-green", "", blue_green(), {}),
    Wish("decision left out", "", {}, decision()),
    Wish("decision kept", "", {**decision(), "image": OTHER_IMAGE}, decision()),
    Wish("fence left out", "", {}, {"fence": True}),
    Wish(
        "stamp kept",
        "",
        {"image": OTHER_IMAGE},
        {},
        meta={"annotations": {REQUESTED_BY: "somebody"}},
        meta_before={"annotations": {REQUESTED_BY: "somebody"}},
    ),
    Wish(
        "stamp left out",
        "",
        {},
        {},
        meta_before={"annotations": {REQUESTED_BY: "somebody"}},
    ),
    Wish("image from before the policy", "", {"replicas": 2, "image": "x:1"}, {"image": "x:1"}),
)
