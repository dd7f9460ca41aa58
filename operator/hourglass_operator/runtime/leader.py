"""Leader election on a coordination/v1 Lease: the shell around ``lease_state``."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import LEASES, Manifest
from hourglass_common.runtime.logs import get_logger

from . import metrics
from .lease_state import LeaseState, LeaseTimes, Record

log = get_logger(__name__)

LEASE_NAME = "hourglass-operator"


class Leader:
    """``acquire`` once, ``hold`` for as long as this process works, ``release`` at the end."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        identity: str,
        clock: Clock,
        times: LeaseTimes | None = None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._times = times or LeaseTimes()
        self._state = LeaseState(identity, self._times)

    def leads(self) -> bool:
        """Return whether a write may be sent now; asked right before each one."""
        return self._state.leads(self._clock.monotonic())

    async def acquire(self) -> None:
        """Return once this process leads."""
        metrics.LEADER.labels(LEASE_NAME).set(0)
        while not await self._try():  # noqa: ASYNC110  the API tells nobody that a lease ran out
            await asyncio.sleep(self._times.poll_every)
        metrics.LEADER.labels(LEASE_NAME).set(1)
        log.info("leading", identity=self._state.identity)

    async def hold(self, regained: Callable[[], None]) -> None:
        """Renew until somebody else leads, which is raised: the process must end at once.

        While the lease can not be renewed nothing is written. If it is still ours when it can,
        work goes on, and ``regained`` is called: what was put off is due.
        """
        idle = False
        while True:
            await asyncio.sleep(self._times.retry_every)
            if await self._try():
                if idle:
                    log.info("leading again", identity=self._state.identity)
                    metrics.LEADER.labels(LEASE_NAME).set(1)
                    regained()
                idle = False
                continue
            if self.leads():
                continue
            metrics.LEADER.labels(LEASE_NAME).set(0)
            if self._state.is_deposed:
                raise HourglassError(
                    Code.ABORTED,
                    "leadership lost",
                    reason="NOT_LEADER",
                    hint="restart to stand again",
                )
            if not idle:
                log.warning("the lease can not be renewed: nothing is written until it can")
            idle = True

    async def release(self) -> None:
        """Give the lease back, so that the next one need not wait for it to expire."""
        record = self._state.record
        if record is None or record.holder != self._state.identity or not self.leads():
            return
        with suppress(HourglassError):
            async with asyncio.timeout(1.0):
                await self._write(record, holder="")

    async def _try(self) -> bool:
        asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._times.retry_every * 2):
                return await self._read_and_take(asked_at)
        except (HourglassError, TimeoutError) as error:
            log.warning("lease not renewed", error=str(error))
            return False

    async def _read_and_take(self, asked_at: float) -> bool:
        try:
            found = await self._client.get(LEASES, self._namespace, LEASE_NAME)
            record: Record | None = _record(found)
        except KubeError as error:
            if not error.is_not_found:
                raise
            record = None
        self._state = self._state.observe(record, asked_at)
        if not self._state.may_take(asked_at):
            return False
        try:
            taken = await self._write(record, holder=self._state.identity)
        except KubeError as error:
            if error.is_conflict or error.is_already_exists:
                return False
            raise
        self._state = self._state.renewed(taken, asked_at)
        return True

    async def _write(self, record: Record | None, holder: str) -> Record:
        now = self._clock.wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = record is None or record.holder != holder
        transitions = (record.transitions if record else 0) + (1 if changed and holder else 0)
        meta: dict[str, Any] = {"name": LEASE_NAME, "namespace": self._namespace}
        body = {
            "apiVersion": LEASES.api_version,
            "kind": "Lease",
            "metadata": meta,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": max(1, round(self._times.duration)),
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }
        if record is None:
            return _record(await self._client.create(LEASES, self._namespace, body))
        meta["resourceVersion"] = record.resource_version
        return _record(await self._client.replace(LEASES, self._namespace, body))


def _record(lease: Manifest) -> Record:
    spec = lease.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        renewed=spec.get("renewTime") or "",
        resource_version=lease["metadata"]["resourceVersion"],
        transitions=int(spec.get("leaseTransitions") or 0),
    )
