"""A tenant of a real cluster: an account that may write performers in one namespace, and whose
wishes go through two doors, the Kubernetes API and PerformerControl."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hourglass_common.domain.access import Attributes, Caller, Proof, Verdict
from hourglass_common.domain.tenancy import Policy
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.namespaces import Nothing
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    LEASES,
    NAMESPACES,
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Manifest,
    Resource,
)
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_operator.admission import admission_manifests
from hourglass_operator.control.reviews import ClusterReviews
from hourglass_operator.control.server import make_control
from hourglass_operator.control.service import PerformerControl
from hourglass_operator.control.tenant import Tenant
from hourglass_operator.rbac import rbac_manifests
from hourglass_operator.runtime.gather import Caches
from hourglass_services.rpc.caller import current_caller

from tests.support.accounts import AUDIENCE
from tests.support.control_plane import (
    ControlPlane,
    Options,
    own_control_plane,
    why_not_startable,
    write_kubeconfig,
)
from tests.support.operator_cluster import until

IMAGE = "registry.example.com/team/performer@sha256:" + "a" * 64
OPERATOR, SYSTEM = "hourglass-operator", "hourglass-system"
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
POLICIES = Resource(
    _ADMISSION,
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
KINDS = {
    "ServiceAccount": SERVICE_ACCOUNTS,
    "Role": Resource(_RBAC, "v1", "roles", "Role"),
    "RoleBinding": Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    "ClusterRole": Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    "ClusterRoleBinding": Resource(
        _RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
    ),
    "ValidatingAdmissionPolicy": POLICIES,
    "ValidatingAdmissionPolicyBinding": Resource(
        _ADMISSION,
        "v1",
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        namespaced=False,
    ),
}


@dataclass(frozen=True)
class Rule:
    """A rule of RBAC, and where the tenant gets it: in its own namespace if nowhere else."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    namespace: str = ""

    def manifest(self) -> dict[str, Any]:
        found = {
            "apiGroups": [self.group],
            "resources": [self.resource],
            "verbs": list(self.verbs),
        }
        return {**found, **({"resourceNames": list(self.names)} if self.names else {})}


@dataclass(frozen=True)
class Tenancy:
    """A namespace with an account that has some rights there, and the operator's account."""

    plane: ControlPlane
    namespace: str
    account: str
    policy: Policy
    tokens: Mapping[str, str]

    @property
    def caller(self) -> Caller:
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{self.namespace}",
            "system:authenticated",
        )
        name = f"system:serviceaccount:{self.namespace}:{self.account}"
        return Caller(name=name, groups=groups, proof=Proof.TOKEN)

    def kubeconfig(self, account: str) -> Path:
        """Return that of the administrator (""), the operator or the tenant."""
        if not account:
            return self.plane.kubeconfig
        path = self.plane.kubeconfig.with_name(f"{account}-{self.namespace}.kubeconfig")
        write_kubeconfig(path, self.plane.url, self.tokens[account])
        return path

    @asynccontextmanager
    async def client(self, account: str) -> AsyncIterator[KubeClient]:
        connection = await connect(self.kubeconfig(account))
        async with KubeClient(connection, user_agent="test") as client:
            yield client

    @asynccontextmanager
    async def control(self, operator: KubeClient, admin: KubeClient) -> AsyncIterator["Control"]:
        """Run PerformerControl as the operator's account, for one namespace.

        Reviews are asked for with ``admin``.
        """
        caches = _caches(admin, self.namespace)
        tenant = Tenant(Reviews(admin), self.policy)
        service = make_control(operator, caches, tenancy=tenant)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cache.run()) for cache in caches.all()]
            for cache in caches.all():
                await cache.wait_synced(10)
            yield Control(service, tenant, self.caller)
            for task in tasks:
                task.cancel()


@dataclass(frozen=True)
class Control:
    """PerformerControl, and what it asks before a write."""

    service: PerformerControl
    tenant: Tenant
    caller: Caller

    @asynccontextmanager
    async def as_the_tenant(self) -> AsyncIterator[None]:
        mark = current_caller.set(self.caller)
        try:
            yield
        finally:
            current_caller.reset(mark)


class Reviews:
    """Asks the cluster itself, each time: nothing is remembered between two tests."""

    def __init__(self, client: KubeClient) -> None:
        self._reviews = ClusterReviews(client, AUDIENCE)

    async def ask(self, caller: Caller, wish: Attributes) -> Verdict:
        return await self._reviews.may(caller, wish)


def _caches(client: KubeClient, namespace: str) -> Caches:
    def follow(resource: Resource, selector: str = "") -> Reflector:
        return Reflector(
            client,
            resource,
            namespace,
            label_selector=selector,
            clock=SystemClock(),
            rng=random.Random(1),
        )

    return Caches(
        performers=follow(PERFORMERS),
        replica_sets=Nothing(REPLICA_SETS),
        pods=Nothing(PODS),
        services=Nothing(SERVICES),
        network_policies=Nothing(NETWORK_POLICIES),
        disruption_budgets=Nothing(POD_DISRUPTION_BUDGETS),
        drain_leases=Nothing(LEASES),
        endpoint_slices=Nothing(ENDPOINT_SLICES),
    )


@dataclass(frozen=True)
class Users:
    """The API as each of three users, in the tenant's namespace."""

    namespace: str
    admin: KubeClient
    operator: KubeClient
    tenant: KubeClient

    async def made(self, spec: Mapping[str, Any] | None = None, **meta: Any) -> Manifest:
        """Make a performer as the operator, whom no policy asks."""
        body = performer(f"p-{uuid4().hex[:8]}", spec or {}, **meta)
        return await self.operator.create(PERFORMERS, self.namespace, body)

    async def gone(self, name: str) -> None:
        async def ask() -> bool | None:
            try:
                await self.admin.get(PERFORMERS, self.namespace, name)
            except KubeError as error:
                return error.is_not_found or None
            return None

        await until(ask, f"{name} is gone", seconds=60)  # the collector may be listing anew

    async def until_refused(
        self, body: Manifest, words: str, *, user: KubeClient | None = None
    ) -> None:
        async def refused() -> bool | None:
            try:
                await (user or self.tenant).create(PERFORMERS, self.namespace, body, dry_run=True)
            except KubeError as error:
                return words in error.message or None
            return None

        await until(refused, f"the API refuses: {words}")

    async def until_taken(self, body: Manifest, *, user: KubeClient | None = None) -> None:
        async def taken() -> bool | None:
            try:
                await (user or self.tenant).create(PERFORMERS, self.namespace, body, dry_run=True)
            except KubeError:
                return None
            return True

        await until(taken, "the API takes it")


def performer(name: str, spec: Mapping[str, Any], **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": PERFORMERS.api_version,
        "kind": "Performer",
        "metadata": {"name": name, **meta},
        "spec": {"avsAddress": "0xAb", "image": IMAGE, **spec},
    }


@contextmanager
def own_api(folder: Path) -> Iterator[ControlPlane]:
    """Run a control plane of our own: policies are the whole cluster's. Skips where none can be."""
    reason = why_not_startable()
    if reason:
        pytest.skip(f"no real control plane of our own: {reason}")
    with own_control_plane(folder, Options()) as running:
        yield running.plane


async def settle(
    plane: ControlPlane, namespace: str, rules: Sequence[Rule], policy: Policy
) -> Tenancy:
    """Make the namespace, the accounts with their rights and the policies; wait for these."""
    account = "tenant"
    async with KubeClient(await connect(plane.kubeconfig), user_agent="test") as admin:
        for name in (SYSTEM, namespace):
            with suppress(KubeError):
                await admin.create(NAMESPACES, None, {"metadata": {"name": name}})
        made = rbac_manifests(name=OPERATOR, namespace=SYSTEM)
        made += [_account(account, namespace), *_roles(account, namespace, rules)]
        about = admission_manifests(policy, name=OPERATOR, namespace=SYSTEM)
        made += [manifest for documents in about.values() for manifest in documents]
        for manifest in made:
            await apply(admin, manifest)
        tokens = {
            OPERATOR: await _token(admin, SYSTEM, OPERATOR),
            account: await _token(admin, namespace, account),
        }
    return Tenancy(plane, namespace, account, policy, tokens)


async def apply(client: KubeClient, manifest: Manifest) -> None:
    resource = KINDS[manifest["kind"]]
    place = manifest["metadata"].get("namespace")
    body = {"apiVersion": resource.api_version, **manifest}
    await client.apply(resource, place, body, field_manager="test")


async def in_force(tenancy: Tenancy, probes: Sequence[Manifest]) -> None:
    """Return once the API refuses each of these to the tenant."""
    deadline = time.monotonic() + 20
    async with tenancy.client(tenancy.account) as client:
        for probe in probes:
            while not await _refuses(client, tenancy.namespace, probe):
                assert time.monotonic() < deadline, f"the policies are not in force: {probe}"
                await asyncio.sleep(0.1)


async def _refuses(client: KubeClient, namespace: str, probe: Manifest) -> bool:
    try:
        await client.create(PERFORMERS, namespace, probe, dry_run=True)
    except KubeError as error:
        return "ValidatingAdmissionPolicy" in error.message
    return False


def _account(name: str, namespace: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def _roles(account: str, namespace: str, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for where in sorted({rule.namespace or namespace for rule in rules}):
        meta = {"name": f"{account}-{namespace}", "namespace": where}
        granted = [r.manifest() for r in rules if (r.namespace or namespace) == where]
        role = {"apiGroup": _RBAC, "kind": "Role", "name": meta["name"]}
        subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
        found.append(
            {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": meta, "rules": granted}
        )
        found.append(
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": "RoleBinding",
                "metadata": meta,
                "roleRef": role,
                "subjects": [subject],
            }
        )
    return found


async def _token(client: KubeClient, namespace: str, name: str) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = await client.create(SERVICE_ACCOUNTS, namespace, body, name=name, subresource="token")
    return str(made["status"]["token"])
