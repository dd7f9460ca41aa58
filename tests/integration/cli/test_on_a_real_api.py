"""The command line on a real Kubernetes API: what it checks there, and as whom it works."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_cli.checks.cluster import (
    Account,
    check_api,
    check_definition,
    check_may_install,
    check_rights,
)
from hourglass_cli.checks.model import Category
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    Resource,
)
from hourglass_operator.rbac import rbac_manifests

from tests.support.control_plane import ControlPlane, Options, own_control_plane, why_unavailable
from tests.support.dev_run import command, run

pytestmark = pytest.mark.real_api
_RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(
    _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
KINDS = {
    each.kind: each
    for each in (SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
}
PERFORMER = ("--avs=0x11", "--image=demo:1")


@pytest.fixture(scope="module")
def own_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose definitions and roles are a test's to change."""
    reason = why_unavailable()
    if not reason and "KUBEBUILDER_ASSETS" not in os.environ:
        reason = "KUBEBUILDER_ASSETS is not set"
    if reason:
        pytest.skip(f"no real control plane: {reason}")
    with own_control_plane(Path(tmp_path_factory.mktemp("cli")), Options()) as running:
        yield running.plane


@dataclass(frozen=True)
class Place:
    """A namespace, and the administrator's client."""

    plane: ControlPlane
    kube: KubeClient
    namespace: str

    async def give(self, rights: dict[str, list[str]], folder: Path) -> str:
        """Return the flag of a kubeconfig for an account with these rights: verbs by resource."""
        await self.kube.create(SERVICE_ACCOUNTS, self.namespace, {"metadata": {"name": "jo"}})
        groups = {"performers": "hourglass.eigenlayer.io"}
        rules = [
            {"apiGroups": [groups.get(what, "")], "resources": [what], "verbs": verbs}
            for what, verbs in rights.items()
        ]
        role = {"metadata": {"name": "jo"}, "rules": rules}
        await self.kube.create(ROLES, self.namespace, role)
        binding = {
            "metadata": {"name": "jo"},
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": "jo"},
            "subjects": [{"kind": "ServiceAccount", "name": "jo", "namespace": self.namespace}],
        }
        await self.kube.create(ROLE_BINDINGS, self.namespace, binding)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = await self.kube.create(
            SERVICE_ACCOUNTS, self.namespace, asked, name="jo", subresource="token"
        )
        config = yaml.safe_load(self.plane.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": made["status"]["token"]}
        config["contexts"][0]["context"]["namespace"] = self.namespace
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return f"--kubeconfig={path}"


@pytest.fixture
async def place(own_api: ControlPlane, namespace: str) -> AsyncIterator[Place]:
    async with KubeClient(await connect(own_api.kubeconfig)) as kube:
        await kube.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        yield Place(own_api, kube, namespace)


def states(category: Category) -> list[str]:
    return [each.state.value for each in category.checks]


async def test_the_api_and_our_definition_are_well(place: Place) -> None:
    assert states(await check_api(place.kube)) == ["passed", "passed"]
    found = await check_definition(place.kube, before=False)
    assert states(found) == ["passed", "passed", "passed"], found


async def test_an_older_definition_is_told_with_where_it_differs(place: Place) -> None:
    name = "performers.hourglass.eigenlayer.io"
    now = await place.kube.get(CUSTOM_RESOURCE_DEFINITIONS, None, name)
    path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/image/description"
    old = now["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    kept = old["properties"]["image"]["description"]

    async def describe(text: str) -> None:
        change: dict[str, Any] = {"op": "replace", "path": path, "value": text}
        await place.kube.json_patch(CUSTOM_RESOURCE_DEFINITIONS, None, name, [change])

    await describe("as it was")
    try:
        found = await check_definition(place.kube, before=False)
    finally:
        await describe(kept)
    assert states(found)[-1] == "failed"
    assert "image.description" in found.checks[-1].message
    assert "kubectl apply" in found.checks[-1].command


async def test_an_administrator_may_install_and_a_stranger_may_not(
    place: Place, tmp_path: Path
) -> None:
    account = Account(place.namespace, "operator")
    assert set(states(await check_may_install(place.kube, account))) == {"passed"}
    flag = await place.give({"performers": ["list"]}, tmp_path)
    connection = await connect(flag.partition("=")[2])
    async with KubeClient(connection) as stranger:
        assert set(states(await check_may_install(stranger, account))) == {"failed"}


async def test_a_right_that_the_operator_lacks_is_named(place: Place) -> None:
    account = Account(place.namespace, f"operator-{place.namespace}")
    absent = await check_rights(place.kube, account, ())
    assert states(absent) == ["warning"]
    for manifest in rbac_manifests(name=account.name, namespace=place.namespace):
        where = manifest["metadata"].get("namespace")
        await place.kube.create(KINDS[manifest["kind"]], where, manifest)
    assert states(await check_rights(place.kube, account, ())) == ["passed"] * 3
    role = await place.kube.get(CLUSTER_ROLES, None, account.name)
    rules = [rule for rule in role["rules"] if rule["resources"] != ["pods"]]
    await place.kube.merge_patch(CLUSTER_ROLES, None, account.name, {"rules": rules})
    found = await check_rights(place.kube, account, ())
    assert states(found) == ["passed", "failed", "passed"]
    assert "patch pods" in found.checks[1].message


async def test_the_kubeconfig_way_works_as_its_user(place: Place, tmp_path: Path) -> None:
    admin = (f"--kubeconfig={place.plane.kubeconfig}", f"-n={place.namespace}")
    made = await run(*command("performer", "create", "demo", *PERFORMER, *admin))
    assert made.status == 0, made.err
    shown = await run(*command("performer", "get", "demo", *admin, "-oyaml"))
    assert yaml.safe_load(shown.out)["spec"]["image"] == "demo:1"

    reader = await place.give({"performers": ["get", "list", "watch"]}, tmp_path)
    seen = await run(*command("performer", "get", "demo", reader, "-oyaml"))
    assert seen.out == shown.out
    assert "replicasets, pods, endpointslices, leases is not shown" in seen.err
    jo = f"--as=system:serviceaccount:{place.namespace}:jo"
    played = await run(*command("performer", "get", "demo", *admin, jo, "-oyaml"))
    assert (played.out, played.err) == (seen.out, seen.err)
    refused = await run(*command("performer", "fence", "demo", reader))
    assert refused.status == 1
    assert "forbidden" in refused.err
    assert "jo" in refused.err
    elsewhere = await run(*command("performer", "list", reader, "-n=default"))
    assert elsewhere.status == 1
    assert "forbidden" in elsewhere.err
