"""Client and reflector on a real API server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import CONFIG_MAPS, NAMESPACES
from hourglass_common.kube.watch_state import Change
from hourglass_common.runtime.system_clock import SystemClock

from tests.support.control_plane import ControlPlane


@pytest.fixture
async def client(real_api: ControlPlane, namespace: str) -> AsyncIterator[KubeClient]:
    connection = await connect(real_api.kubeconfig)
    async with KubeClient(connection, user_agent="test") as client:
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        yield client
        await client.delete(NAMESPACES, None, namespace)


async def test_a_reflector_tells_every_change_of_what_it_selects(
    client: KubeClient, namespace: str
) -> None:
    told: asyncio.Queue[Change] = asyncio.Queue(100)
    reflector = Reflector(
        client,
        CONFIG_MAPS,
        namespace,
        label_selector="mine",
        on_change=told.put_nowait,
        clock=SystemClock(),
    )

    async def next_change() -> tuple[str, str]:
        change = await asyncio.wait_for(told.get(), 10)
        return change.kind, change.key[1]

    def body(name: str) -> dict[str, object]:
        return {"metadata": {"name": name, "labels": {"mine": "yes"}}}

    await client.create(CONFIG_MAPS, namespace, body("before"))
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(reflector.run())
        await reflector.wait_synced(10)
        assert await next_change() == ("added", "before")
        made = await client.create(CONFIG_MAPS, namespace, body("one"))
        assert await next_change() == ("added", "one")
        await client.merge_patch(CONFIG_MAPS, namespace, "one", {"data": {"a": "1"}})
        assert await next_change() == ("modified", "one")
        assert reflector.objects[namespace, "one"]["data"] == {"a": "1"}
        precondition = Precondition(made["metadata"]["uid"])
        await client.delete(CONFIG_MAPS, namespace, "one", precondition=precondition)
        assert await next_change() == ("deleted", "one")
        assert set(reflector.objects) == {(namespace, "before")}
        run.cancel()


async def test_errors_of_a_real_server_are_translated(client: KubeClient, namespace: str) -> None:
    body = {"metadata": {"name": "cm"}}
    await client.create(CONFIG_MAPS, namespace, body)
    with pytest.raises(KubeError) as taken:
        await client.create(CONFIG_MAPS, namespace, body)
    assert taken.value.is_already_exists
    assert not taken.value.is_conflict
    with pytest.raises(KubeError) as changed:
        await client.delete(CONFIG_MAPS, namespace, "cm", precondition=Precondition("other"))
    assert changed.value.is_conflict
    with pytest.raises(KubeError) as missing:
        await client.get(CONFIG_MAPS, namespace, "none")
    assert missing.value.is_not_found
