"""A TCP proxy that can be gone, and come back on its port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.cutting_proxy import CuttingProxy


class StoppingProxy:
    def __init__(self, target: str) -> None:
        self._proxy = CuttingProxy(int(target.rpartition(":")[2]))
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._proxy.serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections, and break off those that are open."""
        if self._server is not None:
            self._server.close()
            self._proxy.cut()
            await self._server.wait_closed()
            self._server = None


@asynccontextmanager
async def stopping_proxy(target: str) -> AsyncIterator[StoppingProxy]:
    """Run one before ``target``."""
    proxy = StoppingProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
