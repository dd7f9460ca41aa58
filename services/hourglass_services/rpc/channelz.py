"""grpc.channelz.v1: what the connections and calls of this process are doing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
from grpc_channelz.v1.channelz import add_channelz_servicer
from hourglass_common.domain.errors import Code, HourglassError

from .address import is_loopback, port_taken, split_address

FLAG = "control.channelz_address"


@asynccontextmanager
async def serving_channelz(address: str, *, flag: str = FLAG) -> AsyncIterator[int]:
    """Serve it in plaintext on a loopback ``address`` while the block runs; "" means nowhere.

    It knows every peer's address, and nobody has to say who asks: hence loopback alone.
    """
    if not address:
        yield 0
        return
    host, port = split_address(address, flag)
    if not is_loopback(host):
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"{flag}: {address} can be reached from other machines",
            reason="INSECURE_ADDRESS",
            hint="use 127.0.0.1",
        )
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_channelz_servicer(server)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(target)
    except RuntimeError as exc:
        raise port_taken(target, flag) from exc
    if bound == 0:
        raise port_taken(target, flag)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
