"""Caches of several namespaces behind the face of one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from hourglass_common.domain.errors import HourglassError
from hourglass_common.kube.namespaces import Reflectors
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import CONFIG_MAPS
from hourglass_common.kube.watch_state import Change

from tests.support.kube_server import serving
from tests.support.manual_clock import ManualClock


class Api:
    """Serves a list for each namespace that it knows; whatever is put is told to the watches."""

    def __init__(self, *namespaces: str) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {name: [] for name in namespaces}
        self.told: dict[str, asyncio.Queue[bytes]] = {name: asyncio.Queue() for name in namespaces}
        self.asked: set[str] = set()
        self.version = 10

    def put(self, namespace: str, name: str) -> None:
        self.version += 1
        meta = {"namespace": namespace, "name": name, "uid": name}
        body = {"metadata": {**meta, "resourceVersion": str(self.version)}}
        self.objects[namespace].append(body)
        event = {"type": "ADDED", "object": body}
        self.told[namespace].put_nowait(orjson.dumps(event) + b"\n")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.add(request.path)
        namespace = request.path.split("/")[4]
        if "watch" not in request.query:
            meta = {"resourceVersion": str(self.version)}
            return web.json_response({"metadata": meta, "items": self.objects[namespace]})
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(await self.told[namespace].get())


@asynccontextmanager
async def following(api: Api, *namespaces: str) -> AsyncIterator[Reflectors]:
    async with serving(api.handle) as client, asyncio.TaskGroup() as group:
        clock = ManualClock()
        cache = Reflectors([Reflector(client, CONFIG_MAPS, n, clock=clock) for n in namespaces])
        task = group.create_task(cache.run())
        yield cache
        task.cancel()


async def test_objects_of_every_namespace_are_found_by_key_and_in_one_view() -> None:
    api = Api("a", "b", "c")
    for namespace in ("a", "b", "c"):
        api.put(namespace, "x")
    async with following(api, "b", "a") as cache:
        assert cache.is_synced is False
        await cache.wait_synced(5)
        assert cache.objects["a", "x"]["metadata"]["namespace"] == "a"
        assert set(cache.objects) == {("a", "x"), ("b", "x")}
        assert len(cache.objects) == 2
        assert cache.objects.get(("c", "x")) is None
        assert cache.objects.get(("a", "y")) is None
    assert {path.split("/")[4] for path in api.asked} == {"a", "b"}


async def test_versions_come_in_the_order_of_names_and_move_by_themselves() -> None:
    api = Api("a", "b")
    async with following(api, "b", "a") as cache:
        assert cache.versions == ("", "")
        await cache.wait_synced(5)
        assert cache.versions == ("10", "10")
        assert cache.scopes == ("a", "b")
        told: asyncio.Queue[Change] = asyncio.Queue()
        stop = cache.listen(told.put_nowait)
        api.put("b", "x")
        async with asyncio.timeout(5):
            change = await told.get()
        assert (change.kind, change.key) == ("added", ("b", "x"))
        assert cache.versions == ("10", "11")
        assert cache.listed == ("10", "10")
        stop()
        api.put("a", "x")
        async with asyncio.timeout(5):
            while ("a", "x") not in cache.objects:
                await asyncio.sleep(0.01)
        assert told.empty()


async def test_one_namespace_that_can_not_be_listed_keeps_the_whole_from_being_synced() -> None:
    api = Api("a", "b")

    async def handle(request: web.Request) -> web.StreamResponse:
        if "/b/" in request.path:
            return web.json_response({"kind": "Status", "code": 403}, status=403)
        return await api.handle(request)

    async with serving(handle) as client, asyncio.TaskGroup() as group:
        clock = ManualClock()
        parts = [Reflector(client, CONFIG_MAPS, name, clock=clock) for name in ("a", "b")]
        cache = Reflectors(parts)
        task = group.create_task(cache.run())
        await parts[0].wait_synced(5)
        with pytest.raises(HourglassError, match="configmaps could not be listed"):
            await cache.wait_synced(0.1)
        assert not cache.is_synced
        task.cancel()


async def test_the_age_is_that_of_the_part_that_was_proven_longest_ago() -> None:
    api = Api("a", "b")
    async with serving(api.handle) as client:
        clock = ManualClock()
        old = Reflector(client, CONFIG_MAPS, "a", clock=clock)
        clock.advance(7)
        young = Reflector(client, CONFIG_MAPS, "b", clock=clock)
        assert Reflectors([young, old]).age(clock.monotonic()) == 7


def test_a_part_for_all_namespaces_has_no_place_among_several() -> None:
    with pytest.raises(ValueError, match="namespace of its own"):
        Reflectors([])
