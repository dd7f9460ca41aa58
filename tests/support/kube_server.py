"""A server of a few lines in the place of the Kubernetes API, and a client of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import Connection

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[KubeClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def nobody() -> str | None:
        return None

    connection = Connection(f"http://127.0.0.1:{runner.addresses[0][1]}", None, nobody)
    try:
        async with KubeClient(connection, **options) as client:
            yield client
    finally:
        await runner.cleanup()
