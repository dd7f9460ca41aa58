"""The gRPC server of the pair: our limits, health, reflection, and a stop that drains."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from hourglass_common.domain.errors import Code, HourglassError

from .address import is_loopback, port_taken, split_address
from .guard import CallGuard
from .handlers import CallLimit, abort, bytes_handlers
from .health import HealthService
from .reflection import register_reflection
from .tls import ServerCertificates, TlsFiles

_MIB = 1 << 20
FLUSH_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server takes on: calls of each service at once, and bytes in a message."""

    calls: int = 1024
    message_bytes: int = 4 * _MIB
    metadata_bytes: int = 16 * 1024
    handshake_seconds: float = 10.0
    """Who has not begun to speak HTTP/2 by then is let go."""
    connection_seconds: int = 0
    """After so long, and a little more or less, a connection takes no more calls; 0 is never."""


def channel_arguments(limits: Limits) -> list[tuple[str, Any]]:
    """Return the core's settings. The reference's clients ping every 10 s without calls."""
    ages = [
        ("grpc.max_connection_age_ms", 1000 * limits.connection_seconds),
        ("grpc.max_connection_age_grace_ms", 60_000),
    ]
    return [
        *(ages if limits.connection_seconds else ()),
        ("grpc.so_reuseport", 0),  # a taken port must be an error, not a shared port
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", 4 * limits.message_bytes),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.max_concurrent_streams", limits.calls),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.server_handshake_timeout_ms", int(1000 * limits.handshake_seconds)),
    ]


NEVER_SECONDS = 3600.0


class RpcServer:
    """Serves several services on one port: ``start`` once, ``stop`` once; ``serves`` in between.

    A ``guard`` must have a rule for each of their methods. Health is open to everybody, reflection
    to whoever the guard knows.
    """

    def __init__(
        self,
        services: Sequence[tuple[ServiceDescriptor, Any]],
        limits: Limits | None = None,
        guard: CallGuard | None = None,
    ) -> None:
        limits = limits or Limits()
        self._limits: list[CallLimit] = []
        self._guard = guard
        if guard is not None:
            guard.check(descriptor for descriptor, _ in services)
        self._server = grpc.aio.server(options=channel_arguments(limits))
        names = [descriptor.full_name for descriptor, _ in services]
        self.health = HealthService(names)
        for descriptor, servicer in services:
            # Of each its own: who manages must get through while all tasks wait.
            limit = CallLimit(limits.calls)
            self._limits.append(limit)
            handlers = bytes_handlers(descriptor, servicer, limit, guard)
            self._server.add_generic_rpc_handlers((handlers,))
        self.health.register(self._server)
        admit = None if guard is None else self._admit_to_reflection
        register_reflection(self._server, (*names, "grpc.health.v1.Health"), admit)
        self.port = 0
        self.serves = False

    async def _admit_to_reflection(self, context: Any) -> None:
        assert self._guard is not None
        try:
            await self._guard.know("grpc.reflection/ServerReflectionInfo", context)
        except HourglassError as error:
            await abort(context, error)

    async def start(
        self, address: str, *, flag: str, insecure: bool = False, tls: TlsFiles | None = None
    ) -> int:
        """Listen on ``address`` and return the port; health says SERVING from now on.

        Plaintext unless ``tls`` is given. FAILED_PRECONDITION if the port is taken or a file is of
        no use, or if other machines could reach a plaintext port and ``insecure`` does not say
        that this is meant. ``flag`` names the setting in errors.
        """
        host, port = split_address(address, flag)
        if tls is None and not insecure and not is_loopback(host):
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"{flag}: {address} can be reached from other machines, and in plaintext",
                reason="INSECURE_ADDRESS",
                hint="listen on 127.0.0.1, give a certificate, or allow it with the setting "
                "insecure: true",
            )
        if self._guard is not None:
            self._guard.exposed = not is_loopback(host)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if tls is None:
                self.port = self._server.add_insecure_port(target)
            else:
                credentials = ServerCertificates(tls).credentials()
                self.port = self._server.add_secure_port(target, credentials)
        except RuntimeError as exc:
            raise port_taken(target, flag) from exc
        if self.port == 0:
            raise port_taken(target, flag)
        await self._server.start()
        self.health.set(serving=True)
        self.serves = True
        return self.port

    async def stop(self, grace_seconds: float) -> None:
        """Say NOT_SERVING, refuse new calls, and let running ones finish within the grace.

        Streams have no end of their own: they are cut off once the other calls are done.
        """
        self.serves = False
        self.health.set(serving=False)
        async with asyncio.TaskGroup() as group:
            # Refuses new calls at once. Its own grace must not end together with ours: the library
            # then cancels the calls of a server that the other stop has freed, and crashes.
            group.create_task(self._server.stop(grace_seconds + NEVER_SECONDS))
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    for limit in self._limits:
                        await limit.idle()
                    # The core has a call's answer only after its handler has returned.
                    await asyncio.sleep(FLUSH_SECONDS)
            await self._server.stop(None)


@asynccontextmanager
async def serving(
    server: RpcServer,
    address: str,
    *,
    flag: str,
    insecure: bool = False,
    tls: TlsFiles | None = None,
    grace_seconds: float,
) -> AsyncIterator[int]:
    """Serve while the block runs and drain after it; gives the port. Errors as in ``start``."""
    port = await server.start(address, flag=flag, insecure=insecure, tls=tls)
    try:
        yield port
    finally:
        await server.stop(grace_seconds)
