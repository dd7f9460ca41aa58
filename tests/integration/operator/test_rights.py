"""The operator with no more rights than deploy/rbac gives it, on a control plane of its own."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import NAMESPACES, PERFORMERS, SERVICE_ACCOUNTS, Resource
from hourglass_operator.rbac import rbac_manifests

from tests.support.control_plane import (
    ControlPlane,
    Options,
    own_control_plane,
    why_unavailable,
)
from tests.support.operator_cluster import Cluster, namespace_of_a_test, until
from tests.support.targets import RBAC, REAL

pytestmark = [pytest.mark.real_api, pytest.mark.only(REAL, RBAC)]

EVERYBODY = {
    "create selfsubjectaccessreviews.authorization.k8s.io",
    "create selfsubjectrulesreviews.authorization.k8s.io",
    "create selfsubjectreviews.authentication.k8s.io",
}
"""What Kubernetes grants to whoever is authenticated."""
_RBAC = "rbac.authorization.k8s.io"
_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
)
_KINDS = {
    "ServiceAccount": SERVICE_ACCOUNTS,
    "Role": Resource(_RBAC, "v1", "roles", "Role"),
    "RoleBinding": Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    "ClusterRole": Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    "ClusterRoleBinding": Resource(
        _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
    ),
}


@pytest.fixture(scope="module")
def own_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane without other operators: here one works in all namespaces."""
    reason = why_unavailable()
    if not reason and "KUBEBUILDER_ASSETS" not in os.environ:
        reason = "the one that is shared is not ours alone, and KUBEBUILDER_ASSETS is not set"
    if reason:
        pytest.skip(f"no real control plane: {reason}")
    with own_control_plane(Path(tmp_path_factory.mktemp("rights")), Options()) as running:
        yield running.plane


@dataclass(frozen=True)
class Confined:
    """A cluster whose kubeconfig is that of the operator's service account."""

    cluster: Cluster
    account: str
    second: str

    def refused(self) -> list[str]:
        """Return what the API refused to the operator, by the audit log."""
        events = map(json.loads, self.cluster.audit_log.read_text().splitlines())
        return [
            f"{e['verb']} {e['requestURI']}"
            for e in events
            if e["user"]["username"] == self.account
            and e.get("responseStatus", {}).get("code") == 403
        ]

    def used(self) -> set[str]:
        """Return what the operator asked for, as the rules name it."""
        events = map(json.loads, self.cluster.audit_log.read_text().splitlines())
        return {
            _right(e["verb"], about.get("apiGroup", ""), _path(about))
            for e in events
            if e["user"]["username"] == self.account and (about := e.get("objectRef"))
        }


@pytest.fixture
async def confined(
    own_api: ControlPlane, namespace: str, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Confined]:
    """The operator's account, with the rights for all namespaces or for two of them."""
    second = f"{namespace}-b"
    watched = (namespace, second) if request.param == "named" else ()
    async with namespace_of_a_test(own_api, namespace) as cluster:
        await cluster.client.create(NAMESPACES, None, {"metadata": {"name": second}})
        name = f"operator-{namespace}"
        made = rbac_manifests(name=name, namespace=namespace, watch_namespaces=watched)
        for manifest in made:
            resource, place = _KINDS[manifest["kind"]], manifest["metadata"].get("namespace")
            await cluster.client.create(resource, place, manifest)
        kubeconfig = tmp_path / "operator.kubeconfig"
        token = await _token(cluster.client, namespace, name)
        kubeconfig.write_text(_kubeconfig(own_api, namespace, token))
        account = f"system:serviceaccount:{namespace}:{name}"
        yield Confined(replace(cluster, kubeconfig=kubeconfig), account, second)
        for manifest in made:
            resource, place = _KINDS[manifest["kind"]], manifest["metadata"].get("namespace")
            await cluster.client.delete(resource, place, manifest["metadata"]["name"])
        await cluster.client.delete(NAMESPACES, None, second)


async def _token(client: KubeClient, namespace: str, name: str) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = await client.create(SERVICE_ACCOUNTS, namespace, body, name=name, subresource="token")
    return str(made["status"]["token"])


def _kubeconfig(plane: ControlPlane, namespace: str, token: str) -> str:
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    config["contexts"][0]["context"]["namespace"] = namespace
    return str(yaml.safe_dump(config))


@pytest.mark.parametrize("confined", ["all", "named"], indirect=True)
async def test_the_rights_are_enough_for_a_performers_life(
    confined: Confined, request: pytest.FixtureRequest
) -> None:
    cluster = confined.cluster
    named = "named" in request.node.callspec.id
    watched = (cluster.namespace, confined.second) if named else ()
    async with cluster.operator(watch_namespaces=watched, leader_elect=True):
        await cluster.create(replicas=2, strategy={"type": "BlueGreen"})
        await cluster.create(namespace=confined.second)
        await cluster.until_condition("Ready", "True")
        await cluster.change(image="demo:2", replicas=1)
        await cluster.until_condition("Ready", "False", "AwaitingPromotion")
        await cluster.decide("Promote")
        await cluster.until_condition("Ready", "True")

        async def second_works() -> bool | None:
            found = await cluster.client.get(PERFORMERS, confined.second, "demo")
            return True if found.get("status") else None

        await until(second_works, "the other namespace is worked in")
        await cluster.client.delete(PERFORMERS, cluster.namespace, "demo")

        async def gone() -> bool | None:
            return True if not await cluster.names(PERFORMERS) else None

        await until(gone, "the performer is gone")

        async def told() -> bool | None:
            return True if "create events.events.k8s.io" in confined.used() else None

        await until(told, "events are written, in their own time")
    assert confined.refused() == []
    given = {" ".join(r.split()[:2]) for r in await _rights(cluster, cluster.namespace)}
    assert given - EVERYBODY - confined.used() <= NOT_IN_THIS_LIFE


NOT_IN_THIS_LIFE = {
    "get performers.hourglass.eigenlayer.io",
    "create performers.hourglass.eigenlayer.io",
    "patch performers.hourglass.eigenlayer.io",
    "get pods/log",
    "patch leases.coordination.k8s.io",
    "create tokenreviews.authentication.k8s.io",
    "create subjectaccessreviews.authorization.k8s.io",
    "delete performers.hourglass.eigenlayer.io",
    "patch performers.hourglass.eigenlayer.io/scale",
    "update performers.hourglass.eigenlayer.io/finalizers",
    "delete replicasets.apps",
    "patch networkpolicies.networking.k8s.io",
    "patch poddisruptionbudgets.policy",
    "patch pods",
}
"""PerformerControl's; a scale that is told after 10 s; history's end; repairs; a rolling drain."""


@pytest.mark.parametrize("confined", ["all", "named"], indirect=True)
async def test_the_account_has_the_committed_rights_and_no_others(confined: Confined) -> None:
    committed = (Path(__file__).parent / "operator_rights.txt").read_text().splitlines()
    found = await _rights(confined.cluster, confined.cluster.namespace)
    assert sorted(found - EVERYBODY) == committed


async def _rights(cluster: Cluster, namespace: str) -> set[str]:
    """Return what the account of ``cluster.kubeconfig`` may do in a namespace."""
    async with KubeClient(await connect(cluster.kubeconfig), user_agent="test") as client:
        review = await client.create(_REVIEWS, None, {"spec": {"namespace": namespace}})
    return {
        _right(verb, group, path, rule.get("resourceNames") or ())
        for rule in review["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for path in rule["resources"]
    }


def _right(verb: str, group: str, path: str, names: Any = ()) -> str:
    plural, _, subresource = path.partition("/")
    suffix = f"/{subresource}" if subresource else ""
    only = f" {','.join(names)}" if names else ""
    return f"{verb} {plural}{'.' + group if group else ''}{suffix}{only}"


def _path(about: dict[str, Any]) -> str:
    subresource = about.get("subresource")
    return f"{about['resource']}/{subresource}" if subresource else str(about["resource"])
