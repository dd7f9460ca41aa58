"""A TCP proxy that counts bytes and cuts the connection after so many of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]

_FRAME_HEADER = 9


@dataclass
class CuttingProxy:
    """``up`` is towards the server. Counting begins with ``arm``."""

    target_port: int
    port: int = 0
    seen: dict[Direction, bytearray] = field(default_factory=dict)
    cut_after: tuple[Direction, int] | None = None
    armed: bool = False
    cuts: int = 0
    connections: int = 0
    opened: int = 0
    _open: list[asyncio.StreamWriter] = field(default_factory=list[asyncio.StreamWriter])

    def arm(self, direction: Direction | None = None, size: int = 0) -> None:
        """Record from now on, and cut when ``size`` bytes went in ``direction``."""
        self.seen = {"up": bytearray(), "down": bytearray()}
        self.cut_after = (direction, size) if direction else None
        self.armed = True
        if direction and size == 0:
            self.cut()

    def cut(self) -> None:
        """Reset every connection, once."""
        self.cut_after = None
        self.cuts += 1
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def serve(
        self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter
    ) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(
                "127.0.0.1", self.target_port
            )
        except BaseException:
            client_writer.transport.abort()  # refused here as well, and nothing left open
            raise
        self._open += [client_writer, server_writer]
        self.connections += 1
        self.opened += 1
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy("up", client_reader, server_writer))
                group.create_task(self._copy("down", server_reader, client_writer))
        finally:
            self.connections -= 1
            for writer in (client_writer, server_writer):
                writer.transport.abort()

    async def _copy(
        self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(65536):
                if not self._pass(direction, data, writer):
                    return
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()

    def _pass(self, direction: Direction, data: bytes, writer: asyncio.StreamWriter) -> bool:
        if not self.armed:
            writer.write(data)
            return True
        room = None
        if self.cut_after is not None and self.cut_after[0] == direction:
            room = self.cut_after[1] - len(self.seen[direction])
        self.seen[direction] += data
        if room is None or len(data) < room:
            writer.write(data)
            return True
        writer.write(data[:room])
        # Let the bytes out before the reset; abort() drops what is still buffered.
        asyncio.get_running_loop().call_later(0.02, self.cut)
        self.cut_after = None
        return False


def frame_ends(stream: bytes) -> list[int]:
    """Return the offset after each HTTP/2 frame of ``stream``, which begins with a frame."""
    ends: list[int] = []
    at = 0
    while at + _FRAME_HEADER <= len(stream):
        at += _FRAME_HEADER + int.from_bytes(stream[at : at + 3], "big")
        ends.append(at)
    return ends


@asynccontextmanager
async def cutting_proxy(target_port: int) -> AsyncIterator[CuttingProxy]:
    """Listen on a free port of loopback."""
    proxy = CuttingProxy(target_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0.01)
