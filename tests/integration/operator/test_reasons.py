"""Each thing that keeps instances from running has its reason and message, soon."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import NAMESPACES, PODS, Manifest, Resource

from tests.support.operator_cluster import Cluster, until
from tests.support.targets import ADMISSION, POD_SECURITY, QUOTA, REAL

WITHIN_SECONDS = 15.0
QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
POLICIES = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
BINDINGS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)


async def until_reason(cluster: Cluster, reason: str) -> str:
    """Return Ready's message once its reason is the one given, within 15 s."""
    async with asyncio.timeout(WITHIN_SECONDS):
        found = await cluster.until_condition("Ready", "False", reason)
    return str((condition(found, "Ready") or {})["message"])


async def fail_the_pod(cluster: Cluster, status: Mapping[str, Any]) -> None:
    """Write a pod's status as kubelet or the scheduler does when it can not run."""

    async def first() -> Manifest | None:
        page = await cluster.client.list(PODS, cluster.namespace)
        return page.items[0] if page.items else None

    pod = await until(first, "a pod")
    name = pod["metadata"]["name"]
    body = {"status": dict(status)}
    await cluster.client.merge_patch(PODS, cluster.namespace, name, body, subresource="status")


def waiting(reason: str, message: str, **more: Any) -> dict[str, Any]:
    state = {
        "name": "performer",
        "image": "demo:1",
        "imageID": "",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }
    return {"phase": "Pending", "containerStatuses": [state]}


UNSCHEDULABLE = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        }
    ]
}
CRASHED = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        (waiting("ImagePullBackOff", "no such image"), "ImagePullFailed", "no such image"),
        (waiting("ErrImageNeverPull", "not present"), "ImagePullFailed", "not present"),
        (waiting("CrashLoopBackOff", "back-off", **CRASHED), "CrashLooping", "exit code 137"),
        (
            waiting("CreateContainerConfigError", 'secret "keys" not found'),
            "ConfigurationFailed",
            'secret "keys" not found',
        ),
        (
            waiting("CreateContainerConfigError", "image will run as root"),
            "SecurityProfile",
            "numeric USER",
        ),
        (UNSCHEDULABLE, "Unschedulable", "Insufficient nvidia.com/gpu"),
    ],
    ids=["image", "image never pulled", "crash loop", "secret", "root", "unschedulable"],
)
async def test_what_a_pod_says_becomes_the_reason(
    cluster: Cluster, status: dict[str, Any], reason: str, text: str
) -> None:
    cluster.readiness.accepts = lambda _: False
    async with cluster.operator():
        await cluster.create()
        await fail_the_pod(cluster, status)
        assert text in await until_reason(cluster, reason)


@pytest.mark.only(REAL, QUOTA)
async def test_a_full_quota_is_told_and_its_growth_is_enough(cluster: Cluster) -> None:
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
    await cluster.client.create(QUOTAS, cluster.namespace, quota)
    async with cluster.operator():
        await cluster.create(replicas=2)
        message = await until_reason(cluster, "QuotaExceeded")
        assert "exceeded quota: small" in message
        more = {"spec": {"hard": {"pods": "2"}}}
        await cluster.client.merge_patch(QUOTAS, cluster.namespace, "small", more)
        await cluster.until_condition("Ready", "True")


@pytest.mark.only(REAL, POD_SECURITY)
async def test_a_namespace_that_asks_for_more_confinement_is_told(cluster: Cluster) -> None:
    strict = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await cluster.client.merge_patch(NAMESPACES, None, cluster.namespace, strict)
    async with cluster.operator():
        await cluster.create(security={"profile": "Baseline"})
        message = await until_reason(cluster, "SecurityProfile")
        assert 'violates PodSecurity "restricted' in message
        assert "spec.security.profile" in message
        await cluster.change(security={"profile": "Restricted"})
        await cluster.until_condition("Ready", "True")


@pytest.mark.only(REAL, ADMISSION)
async def test_an_admission_policy_is_quoted(cluster: Cluster) -> None:
    name = f"no-demo-{cluster.namespace}"
    policy = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ]
            },
            "validations": [{"expression": "false", "message": "images need a signature"}],
        },
    }
    label = {"kubernetes.io/metadata.name": cluster.namespace}
    binding = {
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": label}},
        },
    }
    await cluster.client.create(POLICIES, None, policy)
    await cluster.client.create(BINDINGS, None, binding)
    try:

        async def in_force() -> bool | None:
            probe = {
                "metadata": {"name": "p"},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }
            try:
                await cluster.client.create(PODS, cluster.namespace, probe, dry_run=True)
            except Exception as error:
                return True if "signature" in str(error) else None
            return None

        await until(in_force, "the policy is in force")
        async with cluster.operator():
            await cluster.create()
            assert "images need a signature" in await until_reason(cluster, "PodsRefused")
    finally:
        await cluster.client.delete(BINDINGS, None, name)
        await cluster.client.delete(POLICIES, None, name)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"scheduling": {"priorityClassName": "no-such"}}, "no PriorityClass with name no-such"),
        ({"scheduling": {"runtimeClass": "no-such"}}, 'RuntimeClass "no-such" not found'),
        ({"config": {"serviceAccountName": "no-such"}}, 'serviceaccount "no-such" not found'),
    ],
    ids=["priority class", "runtime class", "service account"],
)
@pytest.mark.only(REAL, ADMISSION)
async def test_what_the_pod_refers_to_must_exist(
    cluster: Cluster, spec: dict[str, Any], text: str
) -> None:
    async with cluster.operator():
        await cluster.create(**spec)
        assert text in await until_reason(cluster, "PodsRefused")
