"""A server of ours on an ephemeral port, with PerformerControl played by a test's own class."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.server import Limits, RpcServer, serving

SERVICE = "eigenlayer.hourglass.control.v1.PerformerControl"


@asynccontextmanager
async def served(
    servicer: Any, limits: Limits | None = None
) -> AsyncIterator[tuple[RpcServer, grpc.aio.Channel]]:
    """Serve ``servicer`` as PerformerControl; gives the server and a channel to it."""
    server = RpcServer([(PERFORMER_CONTROL, servicer)], limits)
    async with (
        serving(server, "127.0.0.1:0", flag="--address", grace_seconds=1.0) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield server, channel
