"""Requests that are too much: each is refused by itself, and the server serves on."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.servicer import PERFORMER_CONTROL
from hourglass_services.executor.servicer import EXECUTOR_SERVICE
from hourglass_services.rpc.channel import open_channel
from hourglass_services.rpc.channelz import serving_channelz
from hourglass_services.rpc.server import Limits, RpcServer, serving
from hourglass_services.rpc.status import from_rpc_error

from tests.support.played_reviews import EveryMethod
from tests.support.rpc_echo import SERVICE, served

MIB = 1 << 20


async def code(channel: grpc.aio.Channel, data: bytes, **more: Any) -> Code | None:
    """Return the code of a CreatePerformer of these bytes."""
    call: Any = channel.unary_unary(f"/{SERVICE}/CreatePerformer")
    try:
        await call(data, timeout=10, **more)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).code
    return None


def create(value: str) -> bytes:
    config = control_pb2.PerformerConfig(environment={"A": value})
    spec = control_pb2.PerformerSpec(config=config)
    return control_pb2.CreatePerformerRequest(name="a", spec=spec).SerializeToString()


async def test_a_message_has_at_most_four_mebibytes() -> None:
    servicer = EveryMethod(PERFORMER_CONTROL)
    async with served(servicer) as (_, channel):
        room = 4 * MIB - len(create("x" * 4 * MIB)) + 4 * MIB
        assert await code(channel, create("x" * room)) is None
        assert await code(channel, create("x" * (room + 1))) is Code.RESOURCE_EXHAUSTED
        assert await code(channel, create("x")) is None
    assert len(servicer.entered) == 2


async def test_a_message_that_is_big_only_when_unpacked_is_refused_too() -> None:
    servicer = EveryMethod(PERFORMER_CONTROL)
    async with served(servicer) as (_, channel):
        bomb = create("x" * 64 * MIB)
        packed = {"compression": grpc.Compression.Gzip}
        assert await code(channel, bomb, **packed) is Code.RESOURCE_EXHAUSTED
        assert await code(channel, create("x"), **packed) is None
    assert len(servicer.entered) == 1


class Jammed:
    """ExecutorService, whose tasks take for ever."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    async def SubmitTask(self, request: Any, context: Any) -> Any:
        self.entered.set()
        await asyncio.Event().wait()


async def test_one_service_with_all_its_calls_taken_holds_up_no_other() -> None:
    jammed, open_one = Jammed(), EveryMethod(PERFORMER_CONTROL)
    services = [(EXECUTOR_SERVICE, jammed), (PERFORMER_CONTROL, open_one)]
    server = RpcServer(services, Limits(calls=1))
    async with (
        serving(server, "127.0.0.1:0", flag="-", grace_seconds=0.1) as port,
        open_channel(f"127.0.0.1:{port}") as channel,
        open_channel(f"127.0.0.1:{port}") as another,
    ):
        submit: Any = channel.unary_unary("/eigenlayer.hourglass.v1.ExecutorService/SubmitTask")
        waits = submit(b"")
        await jammed.entered.wait()
        again: Any = another.unary_unary("/eigenlayer.hourglass.v1.ExecutorService/SubmitTask")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await again(b"", timeout=5)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await code(another, create("x")) is None
        waits.cancel()


async def test_metadata_of_64_kilobytes_is_refused() -> None:
    servicer = EveryMethod(PERFORMER_CONTROL)
    async with served(servicer) as (_, channel):
        much = (("x-much", "x" * 64 * 1024),)
        assert await code(channel, create("x"), metadata=much) is Code.RESOURCE_EXHAUSTED
        enough = (("authorization", "Bearer " + "x" * 8 * 1024),)
        assert await code(channel, create("x"), metadata=enough) is None
    assert len(servicer.entered) == 1


async def test_a_value_that_is_nested_too_deep_is_an_invalid_argument() -> None:
    servicer = EveryMethod(PERFORMER_CONTROL)
    async with served(servicer) as (_, channel):
        assert await code(channel, nested(20)) is None
        assert await code(channel, nested(5_000)) is Code.INVALID_ARGUMENT
    assert len(servicer.entered) == 1


def nested(depth: int) -> bytes:
    """Return a CreatePerformer whose affinity is so many structs, one in the other."""
    content = b""
    for number, _ in ((n, d) for d in range(depth) for n in (2, 1, 5)):
        content = field(number, content)  # Value.struct_value in fields' entry in a Struct
    # FieldsEntry.value = 2, Struct.fields = 1, Value.struct_value = 5: the outermost is a Struct
    struct = field(1, field(2, content))
    return field(2, b"a") + field(3, field(7, field(3, struct)))


def field(number: int, content: bytes) -> bytes:
    length, varint = len(content), bytearray()
    while length >= 0x80:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    return bytes([number << 3 | 2]) + bytes(varint) + content


async def test_connections_of_a_certain_age_are_replaced() -> None:
    """The core ends a call now and then that had not begun: UNAVAILABLE, nothing else."""
    servicer = EveryMethod(PERFORMER_CONTROL)
    codes: set[Code | None] = set()
    async with served(servicer, Limits(connection_seconds=1)) as (_, channel), asyncio.timeout(20):
        while len(set(servicer.peers)) < 3:
            codes.add(await code(channel, create("x")))
    assert codes <= {None, Code.UNAVAILABLE}


async def test_channelz_tells_of_the_servers_of_this_process() -> None:
    async with (
        served(EveryMethod(PERFORMER_CONTROL)) as (_, channel),
        serving_channelz("127.0.0.1:0") as port,
        open_channel(f"127.0.0.1:{port}") as to_channelz,
    ):
        for _ in range(7):
            await code(channel, create("x"))
        stub: Any = channelz_pb2_grpc.ChannelzStub(to_channelz)
        found = await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=5)
    assert 7 in [one.data.calls_succeeded for one in found.server]


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "10.0.0.1:0"])
async def test_channelz_is_served_to_this_machine_alone(address: str) -> None:
    with pytest.raises(HourglassError) as caught:
        async with serving_channelz(address):
            pass
    assert caught.value.reason == "INSECURE_ADDRESS"


async def test_without_an_address_channelz_is_not_served() -> None:
    async with serving_channelz("") as port:
        assert port == 0
