"""What the API takes as a Performer, it takes as the pods, Services and policies made of it.

Every property is walked with usual, odd and bad values. What can not be refused at admission is
named here, and ends as Stalled with the API's own words.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from hourglass_common.domain.performer import parse_performer
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import (
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
from hourglass_operator.planning import manifests
from hourglass_operator.planning.observed import Defaults
from hypothesis import given, settings

from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster, until
from tests.support.performer_values import (
    POOLS,
    PRIORITY_CLASS,
    RUNTIME_CLASS,
    SERVICE_ACCOUNT,
    leaves,
    specs,
)
from tests.support.targets import ADMISSION, REAL

pytestmark = pytest.mark.only(REAL, ADMISSION)

PRIORITY_CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass")
RUNTIME_CLASSES = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass")
REVISION = "v1abcdef0"


def test_every_property_of_a_spec_is_walked() -> None:
    (version,) = performer_crd()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert sorted(leaves(spec)) == sorted(POOLS)


@dataclass
class Walk:
    """Tries specs with dry runs, in namespaces that enforce what the profiles promise."""

    client: KubeClient
    namespaces: dict[str, str]
    taken: int = 0
    refused: int = 0

    async def prepare(self) -> None:
        for level, namespace in self.namespaces.items():
            labels = {"pod-security.kubernetes.io/enforce": level.lower()}
            body = {"metadata": {"name": namespace, "labels": labels}}
            await self.client.create(NAMESPACES, None, body)
            for name in ("default", SERVICE_ACCOUNT):
                await self._make(SERVICE_ACCOUNTS, {"metadata": {"name": name}}, namespace)
        priority = {"metadata": {"name": PRIORITY_CLASS}, "value": 10}
        await self._make(PRIORITY_CLASSES, priority)
        await self._make(RUNTIME_CLASSES, {"metadata": {"name": RUNTIME_CLASS}, "handler": "x"})

    async def _make(self, resource: Resource, body: Manifest, where: str | None = None) -> None:
        try:
            await self.client.create(resource, where, body)
        except KubeError as error:
            if not error.is_already_exists:
                raise

    async def try_(self, spec: dict[str, Any]) -> None:
        profile = str((spec.get("security") or {}).get("profile") or "Restricted")
        namespace = self.namespaces.get(profile, self.namespaces["Restricted"])
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": "Performer",
            "metadata": {"name": "walk"},
            "spec": spec,
        }
        try:
            made = await self.client.create(PERFORMERS, namespace, body, dry_run=True)
        except KubeError as error:
            if error.http_status != 422 or "evaluat" in error.message:
                raise AssertionError(f"{spec}: not refused by a rule: {error.message}") from error
            self.refused += 1
            return
        self.taken += 1
        for resource, child in children(made):
            try:
                await self.client.create(resource, namespace, child, dry_run=True)
            except KubeError as error:
                raise AssertionError(f"{spec}: taken, and then: {error.message}") from error


def children(manifest: Manifest) -> Iterator[tuple[Resource, Manifest]]:
    """Yield all that the operator may make of a performer, and the pod of its template."""
    performer = parse_performer(manifest)
    replicas = manifests.replica_set(performer, REVISION, 1, defaults=Defaults())
    template = replicas["spec"]["template"]
    yield REPLICA_SETS, replicas
    yield PODS, {"metadata": {**template["metadata"], "name": "walk"}, "spec": template["spec"]}
    yield SERVICES, manifests.service(performer, revision=REVISION)
    yield SERVICES, manifests.service(performer, fenced=True)
    yield SERVICES, manifests.staged_service(performer, REVISION)
    yield NETWORK_POLICIES, manifests.network_policy(performer)
    yield POD_DISRUPTION_BUDGETS, manifests.disruption_budget(performer, revision=REVISION)


@pytest.fixture(scope="module")
def try_spec(real_api: ControlPlane) -> Iterator[Callable[[dict[str, Any]], Walk]]:
    """Tries one spec; Hypothesis calls it again and again on one loop and connection."""
    token = uuid4().hex[:8]
    namespaces = {level: f"walk-{level.lower()}-{token}" for level in ("Restricted", "Baseline")}
    with asyncio.Runner() as runner:

        async def begin() -> KubeClient:
            client = KubeClient(await connect(str(real_api.kubeconfig)), user_agent="test")
            return await client.__aenter__()

        client = runner.run(begin())
        walk = Walk(client, namespaces)
        runner.run(walk.prepare())

        def try_one(spec: dict[str, Any]) -> Walk:
            runner.run(walk.try_(spec))
            return walk

        yield try_one
        for namespace in namespaces.values():
            runner.run(client.delete(NAMESPACES, None, namespace))
        runner.run(client.__aexit__(None, None, None))


@pytest.mark.real_api
@pytest.mark.parametrize(("most", "examples"), [(1, 300), (3, 100)], ids=["alone", "together"])
def test_what_is_taken_as_a_performer_is_taken_as_its_objects(
    try_spec: Callable[[dict[str, Any]], Walk], most: int, examples: int
) -> None:
    walks: list[Walk] = []

    @settings(max_examples=examples)
    @given(specs(most))
    def walk(spec: dict[str, Any]) -> None:
        walks.append(try_spec(spec))

    walk()
    assert walks[-1].taken > examples / 10, "too little was taken to show anything"
    assert walks[-1].refused > examples / 10, "too little was refused to show anything"


def _peer(**block: Any) -> dict[str, Any]:
    return {"network": {"ingressFrom": [{"ipBlock": block}]}}


def _beside(**term: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a", **term}]}
    return {"scheduling": {"affinity": {"podAffinity": required}}}


@pytest.mark.real_api
@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        (_peer(cidr="::::/0"), "InvalidSpec", "must be a valid CIDR value"),
        (
            _peer(cidr="10.0.0.0/8", **{"except": ["192.168.0.0/16"]}),
            "InvalidSpec",
            "must be a strict subset of `cidr`",
        ),
        (
            _beside(matchLabelKeys=["app"]),
            "InvalidSpec",
            "spec.template.spec.affinity.podAffinity",
        ),
        (
            {"config": {"serviceAccountName": "nobody"}},
            "PodsRefused",
            'serviceaccount "nobody" not found',
        ),
        (
            {"scheduling": {"priorityClassName": "none-such"}},
            "PodsRefused",
            "no PriorityClass with name none-such was found",
        ),
        (
            {"scheduling": {"runtimeClass": "none-such"}},
            "PodsRefused",
            'RuntimeClass "none-such" not found',
        ),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_only_the_api_can_know_ends_as_stalled_with_its_words(
    cluster: Cluster, spec: dict[str, Any], reason: str, words: str
) -> None:
    async with cluster.operator():
        await cluster.create(**spec)
        found = await cluster.until_condition("Stalled", "True", reason)
    stalled = condition(found, "Stalled") or {}
    assert words in stalled["message"]


@pytest.mark.real_api
async def test_a_profile_that_the_namespace_forbids_ends_as_stalled_with_the_way_out(
    cluster: Cluster,
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await cluster.client.merge_patch(
        NAMESPACES, None, cluster.namespace, {"metadata": {"labels": labels}}
    )
    async with cluster.operator():
        await cluster.create(security={"profile": "Baseline"})
        found = await cluster.until_condition("Stalled", "True", "SecurityProfile")
        stalled = condition(found, "Stalled") or {}
        assert "violates PodSecurity" in stalled["message"]
        assert "set spec.security.profile" in stalled["message"]
        await cluster.change(security={"profile": "Restricted"})

        async def runs() -> bool | None:
            return True if await cluster.names(PODS) else None

        await until(runs, "the pods of the other profile are made")
