"""One connected endpoint: its channel, its client, its prober, opened and closed together."""

import asyncio
from random import Random

import grpc
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.runtime.logs import get_logger
from hourglass_services.performer.channel import open_performer_channel
from hourglass_services.performer.client import PerformerClient

from hourglass_executor.routing.events import key_of
from hourglass_executor.routing.health import HealthPolicy

from .prober import Prober, Report

log = get_logger(__name__)

_AFTER_A_BUG_SECONDS = 5.0


class Link:
    """``run`` owns the channel: it is closed when ``run`` is cancelled."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        report: Report,
        clock: Clock,
        rng: Random,
        health: HealthPolicy,
        max_message_bytes: int,
    ) -> None:
        self.key = key_of(endpoint)
        self._channel = open_performer_channel(
            endpoint.address, max_message_bytes=max_message_bytes
        )
        self.client = PerformerClient(
            self._channel, instance=endpoint.instance, max_message_bytes=max_message_bytes
        )
        self.prober = Prober(
            self._channel, self.key, report=report, clock=clock, rng=rng, policy=health
        )
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        self._task = group.create_task(self._run(), name=f"endpoint {self.key[1]}")

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def is_ready(self) -> bool:
        """Whether a call started now has a connection to go out on."""
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    @property
    def state(self) -> str:
        """gRPC's word for the state of the connection."""
        return self._channel.get_state().name

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self.prober.run()
                except Exception:
                    # A fault in watching one performer must not end the service of all others.
                    log.exception("endpoint probe failed", address=self.key[2])
                    self.prober.connection_lost()
                    await asyncio.sleep(_AFTER_A_BUG_SECONDS)
        finally:
            await self._channel.close()
