"""The rights of deploy/rbac/executor.yaml are enough for an executor's life, and none is idle."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_common.kube.resources import LEASES, PERFORMERS, SERVICE_ACCOUNTS, Resource
from hourglass_executor.rbac import control_rules, executor_manifests, own_rules
from hourglass_services.control.rules import RULES
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest
from hourglass_services.rpc.channel import open_channel

from tests.support.addresses import own_address
from tests.support.control_plane import ControlPlane
from tests.support.executor_process import running_executor, until
from tests.support.executor_values import AVS, settings, submission
from tests.support.performers import Performer, running
from tests.support.played_slices import PlayedCluster, played_cluster

_RBAC = "rbac.authorization.k8s.io"
KINDS = {
    "ServiceAccount": SERVICE_ACCOUNTS,
    "Role": Resource(_RBAC, "v1", "roles", "Role"),
    "RoleBinding": Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
}
NAME = "hourglass-executor"


@dataclass(frozen=True)
class Confined:
    """A namespace in which an executor's account has its rights; ``kubeconfig`` is the account's"""

    cluster: PlayedCluster
    kubeconfig: Path

    def asked(self) -> list[tuple[str, int]]:
        """Return each request that the account made, as a rule names it, and its status."""
        account = f"system:serviceaccount:{self.cluster.namespace}:{NAME}"
        found: list[tuple[str, int]] = []
        for line in self.cluster.plane.audit_log.read_text().splitlines():
            event = json.loads(line)
            about = event.get("objectRef")
            if event["user"]["username"] == account and about:
                name = f"{event['verb']} {about['resource']}.{about.get('apiGroup', '')}"
                found.append((name, event.get("responseStatus", {}).get("code", 0)))
        return found


@pytest.fixture
async def confined(
    real_api: ControlPlane, namespace: str, tmp_path: Path
) -> AsyncIterator[Confined]:
    async with played_cluster(real_api, namespace) as cluster:
        for manifest in executor_manifests(name=NAME, namespace=namespace, via="performers"):
            await cluster.client.create(KINDS[manifest["kind"]], namespace, manifest)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        made = await cluster.client.create(
            SERVICE_ACCOUNTS, namespace, body, name=NAME, subresource="token"
        )
        config = yaml.safe_load(real_api.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": made["status"]["token"]}
        kubeconfig = tmp_path / "executor.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        yield Confined(cluster, kubeconfig)


async def test_the_rights_are_enough_and_each_is_used(confined: Confined, tmp_path: Path) -> None:
    cluster, host = confined.cluster, own_address()
    given = settings(
        tmp_path,
        processes={"allow": False},
        avsPerformers=[],
        kubernetes={
            "namespace": cluster.namespace,
            "inCluster": False,
            "kubeConfigPath": str(confined.kubeconfig),
        },
    )
    old, new = Performer(host=host), Performer(host=host)
    async with running(old, new):
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            client = ExecutorClient(channel)
            request = DeployRequest(
                avs_address=AVS, digest="sha256:" + "1" * 64, registry="r.test/demo"
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(client.deploy(request, timeout_seconds=30))
                name = str((await cluster.performer())["metadata"]["name"])
                old.name = f"{name}-aaaaaaaaa-x1"
                await cluster.behind(f"performer-{name}", old)
            await client.submit(submission(1), timeout_seconds=10)
            new.name, again = f"{name}-bbbbbbbbb-x1", f"{name}-ccccccccc-x1"
            await cluster.behind(f"performer-{name}", new)
            await until(lambda: reported(cluster, 1))
            await client.submit(submission(2), timeout_seconds=10)
            new.name = again
            await cluster.behind(f"performer-{name}", new)
            await until(lambda: reported(cluster, 2))
        async with running_executor(given) as at, open_channel(at.grpc) as channel:
            client = ExecutorClient(channel)
            (info,) = await client.list()
            await client.remove(info.performer_id)
    assert (await cluster.client.list(PERFORMERS, cluster.namespace)).items == ()
    asked = confined.asked()
    assert [name for name, status in asked if status == 403] == []
    granted = {
        f"{verb} {resource}.{group}"
        for rule in own_rules()
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for group in rule["apiGroups"]
    }
    assert {name for name, _ in asked} == granted


async def reported(cluster: PlayedCluster, revisions: int) -> bool:
    page = await cluster.client.list(LEASES, cluster.namespace)
    notes = [json.dumps(lease["metadata"]["annotations"]) for lease in page.items]
    return len(notes) == 1 and notes[0].count("revision") == revisions


def test_the_rights_through_performer_control_are_those_that_its_methods_ask_for() -> None:
    called = {
        "CreatePerformer": control_pb2.CreatePerformerRequest,
        "GetPerformer": control_pb2.GetPerformerRequest,
        "DeletePerformer": control_pb2.DeletePerformerRequest,
        "WatchPerformers": control_pb2.WatchPerformersRequest,
        "ReportDrain": control_pb2.ReportDrainRequest,
    }
    service = "eigenlayer.hourglass.control.v1.PerformerControl"
    asked = {
        (one.verb, one.subresource)
        for method, request in called.items()
        for one in RULES[f"{service}/{method}"].asks(request(namespace="n", name="p"))
    }
    granted = {
        (verb, resource.partition("/")[2])
        for rule in control_rules()
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }
    assert granted == asked
