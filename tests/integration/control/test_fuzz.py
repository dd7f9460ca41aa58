"""Nonsense through a real channel: refused with the right code, and nothing falls over."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import MethodDescriptor
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import NAMESPACES, PERFORMERS
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.rpc.channel import open_channel

from tests.support.control_pair import Pair, control
from tests.support.control_plane import ControlPlane
from tests.support.fuzzed_messages import damaged, message
from tests.support.targets import dev_api

__all__ = ["dev_api"]

AT_ONCE = 32
SECONDS = 0.5
"""Waits of watches and decisions are cut off: that code is the caller's own."""
NEVER = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
METADATA = (
    (),
    (("x-request-id", "x" * 500),),
    (("authorization", "Bearer "),),
    (("authorization", "Basic abc"),),
    (("grpc-timeout-bin", b"\xff\x00"),),
)


@pytest.fixture
async def fuzzed(dev_api: ControlPlane, namespace: str) -> AsyncIterator[Pair]:
    """PerformerControl for the namespace of the test, with performers that requests may hit."""
    async with KubeClient(await connect(dev_api.kubeconfig)) as kube:
        await kube.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        async with control(kube, namespace) as pair:
            for name in ("demo", "demo-1"):
                await pair.client.create(pair.creation(name))
            yield pair


def one_request(
    rng: random.Random, method: MethodDescriptor, namespace: str
) -> tuple[bytes, tuple[tuple[str, str | bytes], ...]]:
    request: Any = message(rng, method.input_type)
    if rng.random() < 0.7:
        request.namespace = namespace
        if "name" in method.input_type.fields_by_name and rng.random() < 0.7:
            request.name = rng.choice(("demo", "demo-1"))
    data: bytes = request.SerializeToString()
    kind = rng.random()
    if kind < 0.2:
        data = damaged(rng, data)
    elif kind < 0.3:
        data = rng.randbytes(rng.randint(0, 400))
    return data, rng.choice(METADATA) if rng.random() < 0.1 else ()


async def call(
    channel: grpc.aio.Channel, method: MethodDescriptor, data: bytes, metadata: tuple[object, ...]
) -> grpc.StatusCode:
    path = f"/{PERFORMER_CONTROL.full_name}/{method.name}"
    opened: Any = channel
    if not method.server_streaming:
        asked = opened.unary_unary(path)(data, metadata=metadata, timeout=SECONDS)
    else:
        asked = opened.unary_stream(path)(data, metadata=metadata, timeout=SECONDS)
        with suppress(grpc.aio.AioRpcError):
            async for _ in asked:
                pass
    code: grpc.StatusCode = await asked.code()
    assert code not in NEVER, f"{method.name}: {await asked.details()}: {data!r}"
    return code


async def test_ten_thousand_requests_at_random_are_answered_with_a_code_that_is_meant(
    fuzzed: Pair, full: bool
) -> None:
    total = 10_000 if full else 1_000
    rng = random.Random(5)
    codes: Counter[str] = Counter()
    left = iter(range(total))

    async def worker(channel: grpc.aio.Channel) -> None:
        for number in left:
            method = PERFORMER_CONTROL.methods[number % len(PERFORMER_CONTROL.methods)]
            data, metadata = one_request(rng, method, fuzzed.namespace)
            codes[(await call(channel, method, data, metadata)).name] += 1

    async with open_channel(fuzzed.address) as channel, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker(channel))
    print(dict(codes))
    assert sum(codes.values()) == total
    # Not everything was refused at the door, and not everything got through it.
    assert codes["INVALID_ARGUMENT"] > total // 10
    assert codes["OK"] > total // 200
    await fuzzed.client.create(fuzzed.creation("after-all"))
    assert (await fuzzed.kube.get(PERFORMERS, fuzzed.namespace, "after-all"))["spec"]
