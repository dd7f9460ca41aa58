"""The operator's loop on the dev cluster's API, behind a proxy that spoils it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import NAMESPACES, PERFORMERS, SERVICES, Manifest
from hourglass_devcluster.apiserver.kubeconfig import write_kubeconfig
from hourglass_devcluster.apiserver.server import serve
from hourglass_operator.main import run
from hourglass_operator.settings import ControlSettings, OperatorSettings

from tests.support.fault_proxy import BREAK_OFF, Answer, Asked, FaultProxy, fault_proxy
from tests.support.operator_cluster import until

NAMESPACE = "prod"
KINDS = 8


@dataclass
class Loop:
    client: KubeClient
    proxy: FaultProxy

    async def create(self, **spec: Any) -> None:
        body = {
            "apiVersion": PERFORMERS.api_version,
            "kind": PERFORMERS.kind,
            "metadata": {"name": "demo"},
            "spec": {"avsAddress": "0xAb", "image": "d:1", **spec},
        }
        await self.client.create(PERFORMERS, NAMESPACE, body)

    async def until_reason(self, reason: str) -> Manifest:
        async def holds() -> Manifest | None:
            found = await self.client.get(PERFORMERS, NAMESPACE, "demo")
            return found if (condition(found, "Ready") or {}).get("reason") == reason else None

        return await until(holds, f"Ready has the reason {reason}")

    def created(self, plural: str) -> list[int]:
        """Return the answers to the creations of a kind."""
        return [w.status for w in self.proxy.writes() if (w.verb, w.resource) == ("create", plural)]


@pytest.fixture
async def loop(tmp_path: Path) -> AsyncIterator[Loop]:
    async with serve(data_dir=tmp_path, custom_resources=[performer_crd()]) as served:
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", served.url, served.token)
        async with (
            KubeClient(await connect(kubeconfig)) as client,
            fault_proxy(served.url, kubeconfig) as proxy,
            asyncio.TaskGroup() as group,
        ):
            await client.create(NAMESPACES, None, {"metadata": {"name": NAMESPACE}})
            settings = OperatorSettings(
                kubeconfig=str(proxy.kubeconfig),
                watch_namespaces=(NAMESPACE,),
                metrics_bind_address="0",
                control=ControlSettings(address="127.0.0.1:0"),
            )
            ready = asyncio.Event()
            running = group.create_task(run(settings, on_ready=lambda _: ready.set()))
            async with asyncio.timeout(20):
                await ready.wait()
                while len(proxy.open_watches()) < KINDS:  # listed is not yet watched
                    await asyncio.sleep(0.01)
            yield Loop(client, proxy)
            running.cancel()


async def test_what_a_late_watch_does_not_show_yet_is_not_made_again(loop: Loop) -> None:
    assert loop.proxy.freeze_watches("replicasets") == 1
    await loop.create()
    await loop.until_reason("Starting")
    await loop.client.merge_patch(PERFORMERS, NAMESPACE, "demo", {"spec": {"replicas": 2}})
    await asyncio.sleep(1.5)
    assert loop.created("replicasets") == [201]


async def test_what_exists_already_is_no_refusal(loop: Loop) -> None:
    """The answer to the creation was lost: the object is there, and it is ours."""
    lost: list[str] = []

    async def lose(asked: Asked) -> Answer | None:
        if asked.verb != "create" or asked.resource != "services" or lost:
            return None
        lost.append(asked.name)
        loop.proxy.freeze_watches("services")
        return BREAK_OFF

    loop.proxy.after = lose
    await loop.create()
    async with asyncio.timeout(10):
        while 409 not in loop.created("services"):
            await asyncio.sleep(0.02)
    loop.proxy.cut_watches("services")
    found = await loop.until_reason("Starting")
    assert condition(found, "Stalled") is None


async def test_a_service_of_somebody_else_is_left_alone(loop: Loop) -> None:
    spec = {"selector": {"app": "mine"}, "ports": [{"port": 1}]}
    body = {"metadata": {"name": "performer-demo"}, "spec": spec}
    await loop.client.create(SERVICES, NAMESPACE, body)
    await loop.create()
    await loop.until_reason("NameTaken")
    found = await loop.client.get(SERVICES, NAMESPACE, "performer-demo")
    assert found["spec"]["selector"] == {"app": "mine"}
    assert [w.what for w in loop.proxy.writes() if w.resource == "services"] == []
