"""The load generator: ``python -m tests.bench.executor_rig.load ORDER``, ORDER a ``Load`` in JSON.

Makes its requests first and says ``ready``; begins when it is given a line; prints what it saw.
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import grpc
import grpc.aio
from eigenlayer.hourglass.v1 import executor_pb2
from eigenlayer.hourglass.v1.performer import performer_pb2
from hourglass_executor.signing.ecdsa import EcdsaSigner
from hourglass_executor.tasks.messages import submission_message
from hourglass_services.executor.codec import submission_to_proto

from tests.bench.executor_rig.performer import EXECUTE_TASK
from tests.support.executor_values import AGGREGATOR_KEY, OPERATOR, submission

SUBMIT_TASK = "/eigenlayer.hourglass.v1.ExecutorService/SubmitTask"
PAYLOAD = bytes(64)


@dataclass(frozen=True)
class Load:
    """``count`` tasks from number ``first`` on, ``in_flight`` at once over ``connections``;
    ``method`` is asked with what it takes, ``signed`` by the aggregator."""

    address: str
    method: str = SUBMIT_TASK
    first: int = 1
    count: int = 1000
    in_flight: int = 16
    connections: int = 1
    signed: bool = False
    avs: str = ""


@dataclass
class Seen:
    """``latencies`` in ms of the answered ones, ``failed`` by status."""

    seconds: float = 0.0
    answered: int = 0
    latencies: list[float] = field(default_factory=list[float])
    failed: Counter[str] = field(default_factory=Counter[str])


def requests(load: Load) -> list[bytes]:
    """Return the bytes of each request."""
    if load.method == EXECUTE_TASK:
        return [
            performer_pb2.TaskRequest(
                task_id=f"0x{number:064x}".encode(), payload=PAYLOAD
            ).SerializeToString()
            for number in range(load.first, load.first + load.count)
        ]
    signer = EcdsaSigner(AGGREGATOR_KEY)
    changes = {"avs_address": load.avs} if load.avs else {}
    made: list[bytes] = []
    for number in range(load.first, load.first + load.count):
        task = submission(number, payload=PAYLOAD, **changes)
        message: executor_pb2.TaskSubmission = submission_to_proto(task)
        if load.signed:
            message.signature = signer.sign_message(submission_message(task, OPERATOR))
        made.append(message.SerializeToString())
    return made


async def run(load: Load, made: list[bytes]) -> Seen:
    """Send all of ``made``; return what came of it."""
    seen, waiting = Seen(), iter(made)
    channels = [
        grpc.aio.insecure_channel(load.address, options=(("grpc.use_local_subchannel_pool", 1),))
        for _ in range(load.connections)
    ]
    calls: list[Any] = [channel.unary_unary(load.method) for channel in channels]

    async def caller(number: int) -> None:
        call = calls[number % len(calls)]
        for request in waiting:
            began = perf_counter()
            try:
                await call(request, timeout=60)
            except grpc.aio.AioRpcError as error:
                seen.failed[error.code().name] += 1
            else:
                seen.latencies.append(1000 * (perf_counter() - began))
                seen.answered += 1

    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(load.in_flight):
            group.create_task(caller(number))
    seen.seconds = perf_counter() - began
    for channel in channels:
        await channel.close()
    return seen


def main() -> None:
    load = Load(**json.loads(sys.argv[1]))
    made = requests(load)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(vars(asyncio.run(run(load, made)))), flush=True)


if __name__ == "__main__":
    main()
