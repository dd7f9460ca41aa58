"""What every server of ours does with calls, whatever its service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from hourglass_common.domain.errors import Code, FieldViolation, HourglassError
from hourglass_services.rpc.server import Limits, RpcServer, channel_arguments
from hourglass_services.rpc.status import from_rpc_error
from prometheus_client import REGISTRY

from tests.support.rpc_echo import SERVICE, served


class Fails:
    """Raises ``error`` from every method."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def GetPerformer(self, request: Any, context: Any) -> Any:
        raise self.error

    async def WatchPerformers(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield control_pb2.WatchPerformersResponse(resume_token="1")
        raise self.error


class Waits:
    """Answers GetPerformer once ``release`` is set; streams never end."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def GetPerformer(self, request: Any, context: Any) -> Any:
        self.entered.set()
        await self.release.wait()
        return control_pb2.GetPerformerResponse()

    async def WatchPerformers(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield control_pb2.WatchPerformersResponse(resume_token="1")
        await asyncio.Event().wait()


async def refused(channel: grpc.aio.Channel) -> HourglassError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await control_pb2_grpc.PerformerControlStub(channel).GetPerformer(
            control_pb2.GetPerformerRequest(name="a"), timeout=5
        )
    return from_rpc_error(caught.value)


async def test_bytes_that_are_no_request_are_an_invalid_argument_naming_the_message() -> None:
    async with served(Waits()) as (_, channel):
        call: Any = channel.unary_unary(f"/{SERVICE}/GetPerformer")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"\xff\xff\xff", timeout=5)
    error = from_rpc_error(caught.value)
    assert error.code is Code.INVALID_ARGUMENT
    assert "eigenlayer.hourglass.control.v1.GetPerformerRequest" in error.message
    assert error.reason == "MALFORMED_REQUEST"


async def test_malformed_bytes_for_a_stream_are_an_invalid_argument_too() -> None:
    async with served(Waits()) as (_, channel):
        watch: Any = channel.unary_stream(f"/{SERVICE}/WatchPerformers")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch(b"\xff", timeout=5).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_error_of_ours_arrives_with_all_its_details() -> None:
    error = HourglassError(
        Code.FAILED_PRECONDITION,
        "the performer x is fenced",
        reason="FENCED",
        hint="unfence it first",
        violations=(FieldViolation("spec.image", "is empty"),),
        metadata={"resourceType": "Performer", "resourceName": "ns/x"},
        retry_after=2.5,
    )
    async with served(Fails(error)) as (_, channel):
        told = await refused(channel)
    assert told.code is Code.FAILED_PRECONDITION
    assert told.message == "the performer x is fenced; unfence it first"
    assert told.reason == "FENCED"
    assert told.metadata["resourceName"] == "ns/x"
    assert told.violations == error.violations
    assert told.retry_after == 2.5


async def test_an_error_too_long_for_headers_still_arrives_with_its_code() -> None:
    violations = tuple(FieldViolation(f"field{n}", "ü" * 300) for n in range(100))
    error = HourglassError(Code.INVALID_ARGUMENT, "ü" * 20_000, violations=violations)
    async with served(Fails(error)) as (_, channel):
        told = await refused(channel)
    assert told.code is Code.INVALID_ARGUMENT
    assert told.message.startswith("üü")


async def test_of_many_bad_fields_the_first_arrive_with_the_value_and_the_rule() -> None:
    said = f'Invalid value: "{"x" * 900}": this is the rule'
    violations = tuple(FieldViolation(f"spec.field{n}." + "f" * 150, said) for n in range(8))
    error = HourglassError(Code.INVALID_ARGUMENT, "no " * 500, violations=violations)
    async with served(Fails(error)) as (_, channel):
        told = (await refused(channel)).violations
    assert told
    for one, sent in zip(told, violations, strict=False):
        assert one.field == sent.field
        assert one.description.startswith('Invalid value: "x')
        assert one.description.endswith(": this is the rule")


async def test_an_unexpected_failure_tells_a_request_id_and_nothing_else() -> None:
    async with served(Fails(RuntimeError("password=hunter2"))) as (_, channel):
        told = await refused(channel)
    assert told.code is Code.INTERNAL
    assert "hunter2" not in told.message
    assert "request id" in told.message


async def test_a_stream_that_fails_midway_ends_with_the_error() -> None:
    async with served(Fails(HourglassError(Code.ABORTED, "changed"))) as (_, channel):
        stub: Any = control_pb2_grpc.PerformerControlStub(channel)
        watch = stub.WatchPerformers(control_pb2.WatchPerformersRequest())
        assert (await watch.read()).resume_token == "1"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    assert caught.value.code() is grpc.StatusCode.ABORTED


async def test_a_method_that_the_servicer_lacks_is_unimplemented() -> None:
    async with served(object()) as (_, channel):
        assert (await refused(channel)).code is Code.UNIMPLEMENTED


async def test_one_call_too_many_is_refused_at_once_and_told_when_to_come_back() -> None:
    servicer = Waits()
    async with served(servicer, Limits(calls=1)) as (server, channel):
        stub: Any = control_pb2_grpc.PerformerControlStub(channel)
        first = stub.GetPerformer(control_pb2.GetPerformerRequest(name="a"))
        await servicer.entered.wait()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as other:
            told = await refused(other)
        assert told.code is Code.RESOURCE_EXHAUSTED
        assert told.retry_after == 1.0
        servicer.release.set()
        await first
        await stub.GetPerformer(control_pb2.GetPerformerRequest(name="a"))


async def test_stopping_lets_the_running_call_finish_and_cuts_streams_off() -> None:
    servicer = Waits()
    async with served(servicer) as (server, channel):
        stub: Any = control_pb2_grpc.PerformerControlStub(channel)
        watch = stub.WatchPerformers(control_pb2.WatchPerformersRequest())
        await watch.read()
        call = stub.GetPerformer(control_pb2.GetPerformerRequest(name="a"))
        await servicer.entered.wait()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            stopping = group.create_task(server.stop(30.0))
            asyncio.get_running_loop().call_later(0.1, servicer.release.set)
            assert await call == control_pb2.GetPerformerResponse()
            await stopping
        with pytest.raises(grpc.aio.AioRpcError):
            await watch.read()


async def test_stopping_does_not_wait_longer_than_the_grace() -> None:
    servicer = Waits()
    async with served(servicer) as (server, channel):
        stub: Any = control_pb2_grpc.PerformerControlStub(channel)
        call = stub.GetPerformer(control_pb2.GetPerformerRequest(name="a"))
        await servicer.entered.wait()
        async with asyncio.timeout(5):
            await server.stop(0.1)
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_health_watchers_hear_of_the_stop_before_it() -> None:
    async with served(Waits()) as (server, channel):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        server.health.set(serving=False)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_lists_the_server_and_each_service() -> None:
    async with served(Waits()) as (_, channel):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.List(health_pb2.HealthListRequest(), timeout=5)
        assert set(answer.statuses) == {"", SERVICE}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=5)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def reflect(channel: grpc.aio.Channel, version: str, **question: str) -> Any:
    call: Any = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(**question))
    answer = await call.read()
    call.cancel()
    return answer


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_answers_under_both_names(version: str) -> None:
    async with served(Waits()) as (_, channel):
        answer = await reflect(channel, version, list_services="*")
    names = {service.name for service in answer.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_reflection_tells_the_json_names_of_fields() -> None:
    async with served(Waits()) as (_, channel):
        answer = await reflect(channel, "v1", file_containing_symbol=SERVICE)
    files = [
        FileDescriptorProto.FromString(file)
        for file in answer.file_descriptor_response.file_descriptor_proto
    ]
    fields = {
        field.name: field.json_name
        for file in files
        for message in file.message_type
        for field in message.field
    }
    assert fields["avs_address"] == "avsAddress"
    assert fields["image"] == "image"


async def test_a_taken_port_is_an_error_that_names_the_flag() -> None:
    async with served(Waits()) as (server, _):
        second = RpcServer([])
        with pytest.raises(HourglassError) as caught:
            await second.start(f"127.0.0.1:{server.port}", flag="--control-address")
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert str(server.port) in caught.value.message
    assert "--control-address" in caught.value.hint


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0", "example.com:0"])
async def test_an_address_that_others_can_reach_needs_a_word(address: str) -> None:
    with pytest.raises(HourglassError) as caught:
        await RpcServer([]).start(address, flag="--control-address")
    assert caught.value.reason == "INSECURE_ADDRESS"
    assert "insecure: true" in caught.value.hint


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:http", "127.0.0.1:70000", ""])
async def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(HourglassError) as caught:
        await RpcServer([]).start(address, flag="--control-address")
    assert caught.value.code is Code.INVALID_ARGUMENT


async def test_calls_are_counted_by_method_and_code() -> None:
    def count(code: str) -> float:
        labels = {"service": SERVICE, "method": "GetPerformer", "code": code}
        return REGISTRY.get_sample_value("hourglass_grpc_server_handled_total", labels) or 0.0

    before = count("NOT_FOUND")
    async with served(Fails(HourglassError(Code.NOT_FOUND, "none"))) as (_, channel):
        await refused(channel)
    assert count("NOT_FOUND") == before + 1


def test_clients_that_ping_every_ten_seconds_are_not_cut_off() -> None:
    arguments = dict(channel_arguments(Limits()))
    assert arguments["grpc.keepalive_permit_without_calls"] == 1
    assert arguments["grpc.http2.max_ping_strikes"] == 0
    assert arguments["grpc.http2.min_recv_ping_interval_without_data_ms"] <= 10_000
