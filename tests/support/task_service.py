"""The executor's task service on a real dispatcher and real performers on loopback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.api.results import Identity
from hourglass_executor.api.tasks import AvsPolicy, TaskService
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from hourglass_executor.signing.ecdsa import AcceptAll, EcdsaSigner
from hourglass_executor.signing.port import Signer, Verifier
from hourglass_executor.storage.port import Store

from tests.support.executor_values import AVS, KEY, OPERATOR

CLOCK = SystemClock()


@asynccontextmanager
async def task_service(
    store: Store,
    endpoints: Sequence[Endpoint],
    *,
    signer: Signer | None = None,
    verifier: Verifier | None = None,
    policy: AvsPolicy | None = None,
    dispatch: DispatchPolicy | None = None,
) -> AsyncIterator[tuple[TaskService, Dispatcher]]:
    """Give the service when a performer of ``AVS`` takes tasks, if it has any."""
    async with (
        Dispatcher(clock=CLOCK, rng=Random(1), policy=dispatch) as dispatcher,
        asyncio.TaskGroup() as group,
    ):
        dispatcher.set_endpoints(AVS, "performer", endpoints)
        if endpoints:
            assert await dispatcher.wait_usable("performer", 10)
        tasks = TaskService(
            identity=Identity(address=OPERATOR, signer=signer or EcdsaSigner(KEY)),
            verifier=verifier or AcceptAll(),
            store=store,
            dispatcher=dispatcher,
            is_served=lambda avs: avs == AVS,
            policies={AVS: policy or AvsPolicy()},
            clock=CLOCK,
            group=group,
        )
        try:
            yield tasks, dispatcher
        finally:
            await tasks.stop(0.01)
