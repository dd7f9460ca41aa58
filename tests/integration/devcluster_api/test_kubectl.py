"""An unmodified kubectl works with the dev cluster's API."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import PERFORMERS, PODS
from hourglass_devcluster.apiserver.kubeconfig import write_kubeconfig
from hourglass_devcluster.apiserver.server import serve

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

PERFORMER: dict[str, Any] = {
    "apiVersion": "hourglass.eigenlayer.io/v1alpha1",
    "kind": "Performer",
    "metadata": {"name": "demo"},
    "spec": {
        "avsAddress": "0x1111111111111111111111111111111111111111",
        "image": "demo-performer:1",
    },
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"app": "x"}},
    "spec": {
        "nodeName": "here",
        "containers": [{"name": "main", "image": "i", "env": [{"name": "A", "value": "1"}]}],
    },
}


class Kubectl:
    """Runs kubectl on the dev cluster, with a home directory of its own."""

    def __init__(self, folder: Path, client: KubeClient) -> None:
        self.folder = folder
        self.client = client

    async def __call__(self, *arguments: str, stdin: Any = None, fails: bool = False) -> str:
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            *arguments,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "KUBECONFIG": str(self.folder / "kubeconfig"),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        content = None if stdin is None else yaml.safe_dump(stdin).encode()
        async with asyncio.timeout(30):
            output, _ = await process.communicate(content)
        assert (process.returncode != 0) is fails, output.decode()
        return output.decode()


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with serve(data_dir=tmp_path, custom_resources=[performer_crd()]) as served:
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", served.url, served.token)
        async with KubeClient(await connect(kubeconfig)) as client:
            yield Kubectl(tmp_path, client)


async def test_a_performer_is_applied_shown_and_deleted(kubectl: Kubectl) -> None:
    assert "demo created" in await kubectl("apply", "-f", "-", stdin=PERFORMER)
    assert "demo unchanged" in await kubectl("apply", "-f", "-", stdin=PERFORMER)
    changed = {**PERFORMER, "spec": {**PERFORMER["spec"], "image": "demo-performer:2"}}
    assert "demo configured" in await kubectl("apply", "-f", "-", stdin=changed)
    header, row = (await kubectl("get", "performers")).splitlines()
    assert header.split() == ["NAME", "AVS", "IMAGE", "VERSION", "PHASE", "ENDPOINT", "AGE"]
    assert row.split()[:3] == ["demo", PERFORMER["spec"]["avsAddress"], "demo-performer:2"]
    assert "demo-performer:2" in await kubectl("describe", "perf", "demo")
    assert "avsAddress\t<string> -required-" in await kubectl("explain", "performer.spec")
    assert "scaled" in await kubectl("scale", "performer", "demo", "--replicas=3")
    assert await kubectl("get", "perf", "demo", "-o", "jsonpath={.spec.replicas}") == "3"
    assert "deleted" in await kubectl("delete", "performer", "demo")
    assert "No resources found" in await kubectl("get", "performers")


async def test_a_server_side_apply_tells_of_conflicts(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in await kubectl(*apply, stdin=PERFORMER)
    changed = {**PERFORMER, "spec": {**PERFORMER["spec"], "image": "other:1"}}
    refused = await kubectl(*apply, "--field-manager=other", stdin=changed, fails=True)
    assert 'conflict with "kubectl": .spec.image' in refused
    taken = await kubectl(*apply, "--field-manager=other", "--force-conflicts", stdin=changed)
    assert "serverside-applied" in taken


async def test_a_bad_manifest_is_refused_with_the_field(kubectl: Kubectl) -> None:
    missing = {**PERFORMER, "spec": {"image": "a"}}
    refused = await kubectl("apply", "-f", "-", stdin=missing, fails=True)
    assert "spec.avsAddress: Required value" in refused
    unknown = {**PERFORMER, "spec": {**PERFORMER["spec"], "imagee": "x"}}
    refused = await kubectl("apply", "-f", "-", stdin=unknown, fails=True)
    assert 'unknown field "spec.imagee"' in refused


async def test_waiting_for_a_condition_ends_when_it_is_met(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=PERFORMER)
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    now = "2026-01-01T00:00:00Z"
    condition = {
        **status["conditions"][0],
        "reason": "Up",
        "message": "",
        "lastTransitionTime": now,
    }

    async def become_ready() -> None:
        patch = {"status": {"observedGeneration": 1, "conditions": [condition]}}
        await kubectl.client.merge_patch(PERFORMERS, "default", "demo", patch, subresource="status")

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(
            kubectl("wait", "--for=condition=Ready", "performer/demo", "--timeout=20s")
        )
        tasks.create_task(become_ready())
    assert "condition met" in waiting.result()


async def test_a_pod_is_merged_logged_and_deleted(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=POD)
    await kubectl("label", "pod", "p", "tier=front")
    await kubectl("patch", "pod", "p", "-p", '{"metadata":{"annotations":{"a":"b"}}}')
    shown = json.loads(await kubectl("get", "pod", "p", "-o", "json"))
    assert shown["metadata"]["labels"] == {"app": "x", "tier": "front"}
    assert shown["metadata"]["annotations"]["a"] == "b"
    folder = kubectl.folder / "logs" / f"default_p_{shown['metadata']['uid']}"
    folder.mkdir(parents=True)
    (folder / "main.log").write_text("one\ntwo\n")
    assert await kubectl("logs", "p", "--tail=1") == "two\n"
    assert "Pending" in await kubectl("get", "pods")
    assert 'pod "p" deleted' in await kubectl("delete", "pod", "p", "--wait=false")
    assert "Terminating" in await kubectl("get", "pods")
    await kubectl.client.delete(PODS, "default", "p", grace_period_seconds=0)
    assert "NotFound" in await kubectl("get", "pod", "p", fails=True)


async def test_the_cluster_describes_itself(kubectl: Kubectl) -> None:
    resources = await kubectl("api-resources")
    assert "performers" in resources
    assert "endpointslices" in resources
    assert "deployments" not in resources
    assert "v1.36" in await kubectl("version", "-o", "yaml")
    assert "kube-system" in await kubectl("get", "namespaces")
    refused = await kubectl("get", "deployments", fails=True)
    assert 'doesn\'t have a resource type "deployments"' in refused
    assert "containerPort" in await kubectl("explain", "pod.spec.containers.ports")
