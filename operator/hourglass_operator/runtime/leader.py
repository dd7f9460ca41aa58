"""Leader election on a coordination/v1 Lease: the shell around ``lease_state``."""

import asyncio
from contextlib import suppress
from typing import Any

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import LEASES, Manifest
from hourglass_common.runtime.logs import get_logger

from . import metrics
from .lease_state import DURATION, RENEW_EVERY, LeaseState, Record

log = get_logger(__name__)

LEASE_NAME = "hourglass-operator"


class Leader:
    """``acquire`` once, ``hold`` for as long as this process works, ``release`` at the end."""

    def __init__(self, client: KubeClient, namespace: str, identity: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._state = LeaseState(identity)

    def leads(self) -> bool:
        """Return whether a write may be sent now; asked right before each one."""
        return self._state.leads(self._clock.monotonic())

    async def acquire(self) -> None:
        """Return once this process leads."""
        metrics.LEADER.labels(LEASE_NAME).set(0)
        while not await self._try():  # noqa: ASYNC110  the API tells nobody that a lease ran out
            await asyncio.sleep(RENEW_EVERY)
        metrics.LEADER.labels(LEASE_NAME).set(1)
        log.info("leading", identity=self._state.identity)

    async def hold(self) -> None:
        """Renew until the lead is lost, which is raised: the process must end at once."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            held = await self._try()
            if not held and not self.leads():
                metrics.LEADER.labels(LEASE_NAME).set(0)
                raise HourglassError(
                    Code.ABORTED,
                    "leadership lost",
                    reason="NOT_LEADER",
                    hint="restart to stand again",
                )

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
            async with asyncio.timeout(RENEW_EVERY * 2):
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
                "leaseDurationSeconds": int(DURATION),
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
