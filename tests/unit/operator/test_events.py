"""Events: the same words of the same performer are one event, however often they are written."""

import asyncio
from typing import Any

from aiohttp import web
from hourglass_common.domain.performer import parse_performer
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_operator.planning.actions import Report
from hourglass_operator.runtime.events import EventRecorder

from tests.support.simulated_cluster import performer_manifest

PERFORMER = parse_performer(performer_manifest())


async def test_a_repeated_event_has_the_name_of_the_first() -> None:
    names: list[str] = []
    all_written = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        names.append(body["metadata"]["name"])
        if len(names) == 3:
            all_written.set()
        return web.json_response(body)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def nobody() -> str | None:
        return None

    server = Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", None, nobody)
    async with KubeClient(server) as client, asyncio.TaskGroup() as group:
        recorder = EventRecorder(
            client, SystemClock(), identity="me", may_write=lambda: True, busy=lambda: False
        )
        running = group.create_task(recorder.run())
        for message in ("one is ready", "one is ready", "two are ready"):
            recorder.record(PERFORMER, Report("Normal", "InstancesReady", message))
        async with asyncio.timeout(10):
            await all_written.wait()
        running.cancel()
    await runner.cleanup()
    first, again, other = names
    assert first == again
    assert other != first
