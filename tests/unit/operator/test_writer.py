"""The writer against a small server that counts, refuses and waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer import parse_performer
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import Manifest, Resource
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_operator.planning.actions import Create, Delete, Patch, WriteStatus
from hourglass_operator.planning.manifests import service
from hourglass_operator.runtime.apply import Writer

from tests.support.simulated_cluster import performer_manifest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PERFORMER = parse_performer(performer_manifest())
CREATE = Create(service(PERFORMER))


@asynccontextmanager
async def writing(
    handler: Handler, *, may_write: Callable[[], bool] = lambda: True
) -> AsyncIterator[tuple[Writer, list[str]]]:
    """Give a writer to a server of ``handler``, and the names of what it wrote."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    wrote: list[str] = []

    async def nobody() -> str | None:
        return None

    def note(_: Resource, made: Manifest) -> None:
        wrote.append(made["metadata"]["name"])

    connection = Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", None, nobody)
    try:
        async with KubeClient(connection) as client:
            clock = SystemClock()
            yield Writer(client, clock, may_write=may_write, wrote=note), wrote
    finally:
        await runner.cleanup()


def status(code: int, reason: str, **headers: str) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": f"it is {reason}"}
    return web.json_response(body, status=code, headers=headers)


async def test_no_more_than_32_writes_are_in_flight() -> None:
    running, most = 0, 0
    full = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 32:
            full.set()
        await full.wait()
        running -= 1
        return web.json_response(await request.json())

    async with writing(answer) as (writer, wrote):
        await asyncio.gather(*(writer.perform(PERFORMER, CREATE) for _ in range(80)))
    assert most == 32
    assert len(wrote) == 80


async def test_a_server_that_is_busy_is_left_alone_for_the_time_it_asks_for() -> None:
    loop = asyncio.get_running_loop()
    asked: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(loop.time())
        if len(asked) == 1:
            return status(429, "TooManyRequests", **{"Retry-After": "1"})
        return web.json_response(await request.json())

    async with writing(answer) as (writer, wrote):
        with pytest.raises(KubeError) as caught:
            await writer.perform(PERFORMER, CREATE)
        assert caught.value.retry_after == 1
        await writer.perform(PERFORMER, CREATE)
    assert wrote == ["performer-demo"]
    assert asked[1] - asked[0] >= 0.95


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_server_that_fails_is_left_alone_for_a_while_by_all(code: int) -> None:
    loop = asyncio.get_running_loop()
    asked: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(loop.time())
        if len(asked) == 1:
            return status(code, "InternalError")
        return web.json_response(await request.json())

    async with writing(answer) as (writer, _):
        with pytest.raises(KubeError):
            await writer.perform(PERFORMER, CREATE)
        await writer.perform(PERFORMER, CREATE)
    assert asked[1] - asked[0] >= 0.12


async def test_an_admission_webhook_that_fails_holds_up_nobody_else() -> None:
    loop = asyncio.get_running_loop()
    asked: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(loop.time())
        if len(asked) == 1:
            body = {"reason": "InternalError", "message": "failed calling webhook: refused"}
            return web.json_response(body, status=500)
        return web.json_response(await request.json())

    async with writing(answer) as (writer, _):
        with pytest.raises(KubeError):
            await writer.perform(PERFORMER, CREATE)
        await writer.perform(PERFORMER, CREATE)
    assert asked[1] - asked[0] < 0.12


async def test_who_does_not_lead_sends_nothing() -> None:
    async def answer(_: web.Request) -> web.Response:
        raise AssertionError("a write was sent")

    async with writing(answer, may_write=lambda: False) as (writer, wrote):
        with pytest.raises(HourglassError) as caught:
            await writer.perform(PERFORMER, CREATE)
    assert caught.value.code is Code.ABORTED
    assert caught.value.reason == "NOT_LEADER"
    assert wrote == []


async def test_a_patch_names_the_object_and_the_version_that_was_planned_from() -> None:
    bodies: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"metadata": {"name": "demo-1", "resourceVersion": "8"}})

    change = {"spec": {"replicas": 2}, "metadata": {"labels": {"a": "b"}}}
    patch = Patch("ReplicaSet", "demo-1", "the-uid", "7", change, "because")
    async with writing(answer) as (writer, _):
        await writer.perform(PERFORMER, patch)
    (body,) = bodies
    assert body["metadata"] == {"labels": {"a": "b"}, "uid": "the-uid", "resourceVersion": "7"}
    assert body["spec"] == {"replicas": 2}


async def test_a_deletion_names_the_object_and_the_version_that_was_planned_from() -> None:
    bodies: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"metadata": {"name": "demo-1"}})

    async with writing(answer) as (writer, _):
        await writer.perform(PERFORMER, Delete("ReplicaSet", "demo-1", "the-uid", "7"))
    (body,) = bodies
    assert body["preconditions"] == {"uid": "the-uid", "resourceVersion": "7"}


async def test_a_status_names_the_version_that_was_planned_from_and_is_waited_for() -> None:
    bodies: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"metadata": {"name": "demo", "resourceVersion": "8"}})

    async with writing(answer) as (writer, wrote):
        await writer.perform(PERFORMER, WriteStatus({"phase": "Running"}))
    (body,) = bodies
    assert body["metadata"]["resourceVersion"] == PERFORMER.resource_version
    assert body["metadata"]["uid"] == PERFORMER.uid
    assert wrote == ["demo"]
