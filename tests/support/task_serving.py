"""A task service with real performers, over gRPC on loopback, for tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import grpc.aio
from hourglass_common.domain.endpoint import Endpoint
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.api.challenge import Challenges
from hourglass_executor.api.inspection import Inspection, TapLimits
from hourglass_executor.api.results import Identity
from hourglass_executor.api.tasks import AvsPolicy, TaskService
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.signing.ecdsa import AcceptAll, EcdsaSigner
from hourglass_executor.storage.memory import MemoryStore
from hourglass_executor.storage.port import Store
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.servicer import EXECUTOR_SERVICE, ExecutorServicer
from hourglass_services.inspection.client import InspectionClient
from hourglass_services.inspection.servicer import INSPECTION_SERVICE, InspectionServicer
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.server import RpcServer, serving

from tests.support.dispatching import until
from tests.support.executor_values import AVS, KEY, OPERATOR


@dataclass(frozen=True)
class Served:
    client: ExecutorClient
    inspection: InspectionClient
    channel: grpc.aio.Channel
    dispatcher: Dispatcher
    tasks: TaskService
    store: Store


@asynccontextmanager
async def serving_tasks(
    endpoints: Sequence[Endpoint],
    *,
    policy: AvsPolicy | None = None,
    store: Store | None = None,
    taps: TapLimits | None = None,
) -> AsyncIterator[Served]:
    """Serve tasks of ``AVS`` on ``endpoints``, once all of them are connected and SERVING."""
    clock, kept = SystemClock(), store or MemoryStore()
    async with Dispatcher(clock=clock, rng=Random(1)) as dispatcher, asyncio.TaskGroup() as group:
        dispatcher.set_endpoints(AVS, "performer", tuple(endpoints))
        tasks = TaskService(
            identity=Identity(address=OPERATOR, signer=EcdsaSigner(KEY)),
            verifier=AcceptAll(),
            store=kept,
            dispatcher=dispatcher,
            is_served=lambda avs: avs == AVS,
            policies={AVS: policy or AvsPolicy()},
            clock=clock,
            group=group,
        )
        inspection = Inspection(
            dispatcher=dispatcher,
            challenges=Challenges(
                operator_address=OPERATOR, signer="", new_token=lambda: "", clock=clock
            ),
            operator_address=OPERATOR,
            store=kept,
            tasks=tasks,
            clock=clock,
            limits=taps,
        )
        server = RpcServer(
            [
                (EXECUTOR_SERVICE, ExecutorServicer(tasks)),
                (INSPECTION_SERVICE, InspectionServicer(inspection)),
            ]
        )
        async with serving(server, "127.0.0.1:0", flag="test", grace_seconds=1) as port:
            await until(lambda: all(v.health.value == "Serving" for v in dispatcher.snapshot()))
            async with open_channel(f"127.0.0.1:{port}") as channel:
                yield Served(
                    ExecutorClient(channel),
                    InspectionClient(channel),
                    channel,
                    dispatcher,
                    tasks,
                    kept,
                )
        await tasks.stop(0.01)
