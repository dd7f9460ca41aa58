"""The admission policies on a real API server: their cost, their types, and whom they let alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import json_format
from hourglass_common.domain.errors import Code
from hourglass_common.domain.tenancy import Policy
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    PERFORMERS,
)
from hourglass_operator.admission import POLICY, RIGHTS, STATUS, admission_manifests

from tests.support.commands import Commands
from tests.support.control_plane import ControlPlane
from tests.support.hostile_specs import (
    OTHER_IMAGE,
    OWN,
    blue_green,
    config,
    decision,
    pulls,
    scheduling,
    secrets,
)
from tests.support.operator_cluster import until
from tests.support.targets import ADMISSION, REAL
from tests.support.tenants import (
    KINDS,
    OPERATOR,
    POLICIES,
    SYSTEM,
    Rule,
    Tenancy,
    Users,
    apply,
    in_force,
    own_api,
    performer,
    settle,
)

pytestmark = [pytest.mark.real_api, pytest.mark.only(REAL, ADMISSION)]

_GROUP = "hourglass.eigenlayer.io"
_ACTS = ("promote", "fence", "suspend")
RULES = (
    Rule(_GROUP, "performers", ("get", "list", "create", "update", "patch", "delete")),
    Rule(_GROUP, "performers/status", ("update", "patch")),
    Rule(_GROUP, "performers/scale", ("get", "update", "patch")),
    *(Rule(_GROUP, f"performers/{act}", ("update",)) for act in _ACTS),
    Rule("", "secrets", ("get",), OWN),
    Rule("", "serviceaccounts", ("use",), ("worker",)),
    Rule("scheduling.k8s.io", "priorityclasses", ("use",), ("batch",)),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with own_api(Path(tmp_path_factory.mktemp("admission"))) as plane:
        yield plane


@pytest.fixture(scope="module")
def tenancy(api: ControlPlane) -> Tenancy:
    async def made() -> Tenancy:
        found = await settle(api, "team-a", RULES, Policy())
        taint = {"key": "node-role.kubernetes.io/master", "operator": "Exists"}
        probes = (secrets("db"), scheduling(tolerations=[taint]))
        await in_force(found, [performer("probe", spec) for spec in probes])
        return found

    return asyncio.run(made())


@pytest.fixture
async def users(tenancy: Tenancy) -> AsyncIterator[Users]:
    async with AsyncExitStack() as stack:
        admin, operator, tenant = [
            await stack.enter_async_context(tenancy.client(account))
            for account in ("", OPERATOR, tenancy.account)
        ]
        yield Users(tenancy.namespace, admin, operator, tenant)


@pytest.fixture
def commands(tenancy: Tenancy, tmp_path: Path) -> Commands:
    return Commands(tenancy.kubeconfig(tenancy.account), tenancy.namespace, tmp_path)


async def test_the_types_of_all_expressions_are_right(users: Users) -> None:
    for name in (RIGHTS, STATUS, POLICY):
        assert await _warnings(users.admin, name) == []


async def test_a_misspelt_field_in_an_expression_is_warned_of(users: Users) -> None:
    spec = (await users.admin.get(POLICIES, None, RIGHTS))["spec"]
    name = f"misspelt-{users.namespace}"
    wrong = [{"expression": "object.spec.imige == 'a'"}]
    policy = {"metadata": {"name": name}, "spec": {**spec, "validations": wrong}}
    await users.admin.create(POLICIES, None, policy)
    try:
        assert "imige" in str(await _warnings(users.admin, name))
    finally:
        await users.admin.delete(POLICIES, None, name)


async def _warnings(client: KubeClient, name: str) -> list[Any]:
    async def checked() -> list[Any] | None:
        found = await client.get(POLICIES, None, name)
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return None
        return list((status.get("typeChecking") or {}).get("expressionWarnings") or ())

    return await until(checked, f"the types of {name} are checked")


@pytest.mark.parametrize("number", [0, 1, 3, 8])
async def test_any_number_of_secrets_is_let_through_or_refused(users: Users, number: int) -> None:
    own = OWN[:number]
    good = performer("many", {**secrets(*own), **pulls(*own)})
    await users.tenant.create(PERFORMERS, users.namespace, good, dry_run=True)
    if number:
        bad = performer("many", {**secrets(*own), **pulls(*own[1:], "db")})
        with pytest.raises(KubeError) as caught:
            await users.tenant.create(PERFORMERS, users.namespace, bad, dry_run=True)
        assert f"spec.imagePullSecrets[{number - 1}]" in caught.value.message
        assert 'get secrets "db"' in caught.value.message
        assert caught.value.code is Code.PERMISSION_DENIED


async def test_all_that_can_be_asked_at_once_is_within_the_cost_limit(users: Users) -> None:
    old = await users.made(blue_green())
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "a-uid"}
    taints = [{"key": f"team-{n}", "operator": "Exists"} for n in range(64)]
    variables = {f"VARIABLE_{n}": "x" * 1000 for n in range(128)}
    everything = {
        **secrets(*OWN, serviceAccountName="worker", environment=variables),
        **pulls(*OWN),
        **scheduling(priorityClassName="batch", tolerations=taints),
        **decision(),
        "fence": True,
        "suspend": True,
    }
    new = performer(old["metadata"]["name"], everything, ownerReferences=[owner])
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    await users.tenant.replace(PERFORMERS, users.namespace, new, dry_run=True)


async def test_an_expression_has_room_for_two_checks_and_not_for_three(users: Users) -> None:
    """Why the policies have one in each: at three, even who may do everything is refused."""
    check = "authorizer.group('').resource('secrets').namespace('a').name('b').check('get')"
    spec = (await users.admin.get(POLICIES, None, RIGHTS))["spec"]
    spec = {key: spec[key] for key in ("failurePolicy", "matchConstraints")}
    binding = {"policyName": "probe", "validationActions": ["Deny"]}
    bindings = KINDS["ValidatingAdmissionPolicyBinding"]
    await users.admin.create(bindings, None, {"metadata": {"name": "probe"}, "spec": binding})
    body = performer("plain", {})
    try:
        for number in (3, 2):
            tests = [{"expression": " && ".join([f"{check}.allowed()"] * number)}]
            policy = {"metadata": {"name": "probe"}, "spec": {**spec, "validations": tests}}
            await apply(users.admin, {"kind": "ValidatingAdmissionPolicy", **policy})
            if number == 3:
                await users.until_refused(body, "cost limit exceeded", user=users.admin)
            else:
                await users.until_taken(body, user=users.admin)
    finally:
        await users.admin.delete(bindings, None, "probe")
        await users.admin.delete(POLICIES, None, "probe")
        await users.until_taken(body)


async def test_the_status_is_written_by_the_operator_alone(users: Users) -> None:
    made = await users.made()
    name = made["metadata"]["name"]
    elsewhere = {"status": {"grpcEndpoint": "169.254.169.254:80"}}
    for user in (users.tenant, users.admin):
        with pytest.raises(KubeError, match="status: it is written by the operator alone"):
            await user.merge_patch(
                PERFORMERS, users.namespace, name, elsewhere, subresource="status"
            )
    body = {**made, "status": {"observedGeneration": 1, "phase": "Running"}}
    written = await users.operator.replace(PERFORMERS, users.namespace, body, subresource="status")
    assert written["status"]["phase"] == "Running"


async def test_a_status_in_a_manifest_is_dropped(users: Users) -> None:
    body = {**performer("claims", {}), "status": {"grpcEndpoint": "169.254.169.254:80"}}
    made = await users.tenant.create(PERFORMERS, users.namespace, body, dry_run=True)
    assert made["status"] == {"observedGeneration": -1}


async def test_labels_annotations_and_scale_need_no_right_to_the_secrets(
    users: Users, commands: Commands
) -> None:
    made = await users.made({**secrets("db"), "image": "from.before/x:1"})
    name = made["metadata"]["name"]
    await commands.kubectl("label", "performer", name, "team=a")
    await commands.kubectl("annotate", "performer", name, "note=b")
    await commands.kubectl("scale", "performer", name, "--replicas=3")
    found = await users.admin.get(PERFORMERS, users.namespace, name)
    assert found["metadata"]["labels"]["team"] == "a"
    assert found["spec"]["replicas"] == 3
    patch = json.dumps({"spec": {"image": OTHER_IMAGE}})
    with pytest.raises(AssertionError, match=r'right to get secrets "db"'):
        await commands.kubectl("patch", "performer", name, "--type=merge", "-p", patch)


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
async def test_what_is_deleted_goes(users: Users, commands: Commands, cascade: str) -> None:
    made = await users.made(secrets("db"))
    name = made["metadata"]["name"]
    await commands.kubectl("delete", "performer", name, f"--cascade={cascade}", "--wait=false")
    await users.gone(name)


async def test_the_garbage_collector_removes_what_lost_its_owner(users: Users) -> None:
    owners = []
    for name in (f"stays-{uuid4().hex[:6]}", f"goes-{uuid4().hex[:6]}"):
        made = await users.admin.create(CONFIG_MAPS, users.namespace, {"metadata": {"name": name}})
        uid = made["metadata"]["uid"]
        owners.append({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid})
    name = (await users.made(secrets("db"), ownerReferences=owners))["metadata"]["name"]
    await users.admin.delete(CONFIG_MAPS, users.namespace, owners[1]["name"])

    async def one_owner() -> bool | None:
        found = await users.admin.get(PERFORMERS, users.namespace, name)
        return len(found["metadata"]["ownerReferences"]) == 1 or None

    await until(one_owner, "the owner that is gone is left out", seconds=40)
    await users.admin.delete(CONFIG_MAPS, users.namespace, owners[0]["name"])
    await users.gone(name)


async def test_a_namespace_with_performers_can_be_deleted(users: Users, namespace: str) -> None:
    await users.admin.create(NAMESPACES, None, {"metadata": {"name": namespace}})
    body = performer("demo", secrets("db"), finalizers=["example.com/held"])
    await users.operator.create(PERFORMERS, namespace, body)
    await users.admin.delete(NAMESPACES, None, namespace)
    await users.admin.merge_patch(PERFORMERS, namespace, "demo", {"metadata": {"finalizers": None}})

    async def gone() -> bool | None:
        try:
            await users.admin.get(NAMESPACES, None, namespace)
        except KubeError as error:
            return error.is_not_found or None
        return None

    await until(gone, "the namespace is gone", seconds=40)


HOST = {
    "hostNetwork": True,
    "hostPID": True,
    "nodeName": "control-plane-1",
    "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
    "initContainers": [{"name": "a", "image": "b"}],
    "securityContext": {"runAsUser": 0},
    "containers": [{"name": "a", "image": "b", "securityContext": {"privileged": True}}],
}
WITHIN = {
    "security": {"profile": "Restricted", "privileged": True},
    **config(serviceAccount="admin", volumeMounts=[{"name": "root", "mountPath": "/"}]),
    "imagePullSecrets": [{"name": OWN[0], "namespace": "kube-system"}],
}


@pytest.mark.parametrize("spec", [*({k: v} for k, v in HOST.items()), WITHIN], ids=str)
async def test_what_the_schema_does_not_know_is_never_kept(
    users: Users, commands: Commands, spec: Mapping[str, Any]
) -> None:
    """kubectl refuses it, PerformerControl has no words for it, and the bare API drops it."""
    body = performer("host", spec)
    with pytest.raises(AssertionError, match="unknown field"):
        await commands.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(body))
    with pytest.raises(json_format.ParseError, match="no field named"):
        json_format.ParseDict(body["spec"], control_pb2.PerformerSpec())
    made = await users.tenant.create(PERFORMERS, users.namespace, body, dry_run=True)
    for word in (*HOST, "privileged", "serviceAccount", "volumeMounts", "namespace"):
        assert f"'{word}'" not in str(made["spec"])


@pytest.mark.parametrize(
    ("policy", "spec", "words"),
    [
        (Policy(require_digest=True), {"image": "a:1"}, "images are named by a digest"),
        (Policy(allowed_registries=("a.io/a", "b.io")), {}, "registries only: a.io/a, b.io"),
        (Policy(protected_namespaces=("b", "team-a")), {}, "it belongs to the cluster"),
    ],
    ids=["digest", "registries", "namespaces"],
)
async def test_the_policy_can_be_made_stricter_and_laxer(
    users: Users, policy: Policy, spec: Mapping[str, Any], words: str
) -> None:
    await _set(users, policy)
    try:
        await users.until_refused(performer("plain", spec), words)
    finally:
        await _set(users, Policy())
        await users.until_taken(performer("plain", spec))


async def test_the_policies_can_be_taken_away_and_put_back(users: Users) -> None:
    about = admission_manifests(Policy(), name=OPERATOR, namespace=SYSTEM)
    made = [manifest for documents in about.values() for manifest in documents]
    bad = performer("bad", scheduling(tolerations=[{"operator": "Exists"}]))
    for manifest in made:
        await users.admin.delete(KINDS[manifest["kind"]], None, manifest["metadata"]["name"])
    try:
        await users.until_taken(bad)
    finally:
        for manifest in made:
            await apply(users.admin, manifest)
        await users.until_refused(bad, "stay off the nodes of the control plane")
        await users.until_refused(performer("bad", secrets("db")), 'get secrets "db"')
    await users.until_taken(performer("good", {}))


async def test_a_doubtful_word_in_the_policy_is_refused(users: Users) -> None:
    change = [{"op": "replace", "path": "/spec/variables/1/expression", "value": "perhaps"}]
    with pytest.raises(KubeError, match="undeclared reference to 'perhaps'"):
        await users.admin.json_patch(POLICIES, None, POLICY, change)


async def test_under_an_older_crd_no_reference_is_past_the_last_that_is_looked_at(
    users: Users,
) -> None:
    path = "spec/properties/config/properties/environmentFrom/maxItems"
    where = f"/spec/versions/0/schema/openAPIV3Schema/properties/{path}"
    crd = f"performers.{_GROUP}"

    async def bound(number: int) -> None:
        change = [{"op": "replace", "path": where, "value": number}]
        await users.admin.json_patch(CUSTOM_RESOURCE_DEFINITIONS, None, crd, change)

    body = performer("many", secrets(*OWN, OWN[0]))
    await bound(64)
    try:
        words = "denied request: spec.config.environmentFrom: Too many: 9: must have at most 8"
        await users.until_refused(body, words)
    finally:
        await bound(8)
        await users.until_refused(body, "is invalid: [spec.config.environmentFrom: Too many: 9")


async def _set(users: Users, policy: Policy) -> None:
    for manifest in admission_manifests(policy, name=OPERATOR, namespace=SYSTEM)["policy"]:
        await apply(users.admin, manifest)
