"""The executor's two ports: TLS, health, reflection, channelz, pings, limits, and the probes."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.v1 import executor_pb2_grpc
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.main import Addresses, run
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.codec import submission_to_proto
from hourglass_services.rpc.channel import ChannelSecurity, open_channel
from hourglass_services.rpc.status import from_rpc_error
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from tests.support.certificates import Authority, Issued
from tests.support.cutting_proxy import cutting_proxy
from tests.support.executor_process import running_executor
from tests.support.executor_values import settings, submission
from tests.support.mounted import Mounted, serial, served_serial

MIB = 1 << 20
TASKS = "eigenlayer.hourglass.v1.ExecutorService"
MANAGEMENT = "eigenlayer.hourglass.v1.ExecutorManagementService"
INSPECTION = "eigenlayer.hourglass.executor.v1.ExecutorInspection"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def two_ports(tmp_path: Path, **changes: Any) -> Any:
    given = {"managementServerGrpcPort": free_port(), "avsPerformers": [], "stopGrace": "100ms"}
    return settings(tmp_path, **{**given, **changes})


def told(files: Any) -> dict[str, str]:
    found = {"certificateFile": files.certificate_file, "keyFile": files.key_file}
    if files.client_ca_file:
        found["clientCaFile"] = files.client_ca_file
    return {key: str(path) for key, path in found.items()}


def security(folder: Path, authority: Authority, client: Issued | None = None) -> ChannelSecurity:
    ca = folder / "server-ca.crt"
    ca.write_bytes(authority.pem)
    if client is None:
        return ChannelSecurity(ca_file=ca)
    certificate, key = client.write(folder, "client")
    return ChannelSecurity(ca_file=ca, certificate_file=certificate, key_file=key)


async def listed(address: str, how: ChannelSecurity | None = None) -> Code | None:
    """List performers over a connection of its own; return the code of a refusal."""
    async with open_channel(address, how) as channel:
        try:
            await ExecutorClient(channel).list(timeout_seconds=5)
        except HourglassError as error:
            return error.code
    return None


async def submitted(address: str, how: ChannelSecurity | None = None) -> Code | None:
    async with open_channel(address, how) as channel:
        try:
            await ExecutorClient(channel).submit(submission(), timeout_seconds=20)
        except HourglassError as error:
            return error.code
    return None


# -- TLS


async def test_both_ports_speak_tls_and_nothing_else(tmp_path: Path) -> None:
    authority = Authority()
    files = Mounted(tmp_path / "tls").put(authority.server())
    how = security(tmp_path, authority)
    async with running_executor(two_ports(tmp_path, tls=told(files))) as at:
        assert at.grpc != at.management
        assert await listed(at.management, how) is None
        assert await submitted(at.grpc, how) is Code.NOT_FOUND  # no performer; it was read
        assert await listed(at.management) is Code.UNAVAILABLE
        assert await submitted(at.grpc) is Code.UNAVAILABLE
        stranger = security(tmp_path, Authority("another"))
        assert await listed(at.management, stranger) is Code.UNAVAILABLE


async def test_with_a_clients_authority_nobody_calls_without_its_certificate(
    tmp_path: Path,
) -> None:
    authority, clients = Authority(), Authority("clients")
    files = Mounted(tmp_path / "tls").put(authority.server(), client_ca=clients.pem)
    async with running_executor(two_ports(tmp_path, tls=told(files))) as at:
        for one, code in (
            (clients.client("aggregator"), None),
            (None, Code.UNAVAILABLE),
            (authority.client("aggregator"), Code.UNAVAILABLE),
        ):
            how = security(tmp_path, authority, one)
            assert await listed(at.management, how) is code
            assert await submitted(at.grpc, how) is (code or Code.NOT_FOUND)


async def test_a_new_certificate_is_shown_within_seconds_and_no_call_fails(
    tmp_path: Path,
) -> None:
    authority = Authority()
    mounted = Mounted(tmp_path / "tls")
    given = two_ports(tmp_path, tls=told(mounted.put(authority.server())))
    how = security(tmp_path, authority)
    done = asyncio.Event()
    codes: list[Code | None] = []

    async def calls(call: Callable[[], Any]) -> None:
        while not done.is_set():
            codes.append(await call())
            await asyncio.sleep(0.01)

    async with running_executor(given) as at, open_channel(at.management, how) as kept:

        async def over_the_kept_one() -> Code | None:
            return (
                None if await ExecutorClient(kept).list(timeout_seconds=5) == () else Code.UNKNOWN
            )

        async with asyncio.TaskGroup() as group:
            group.create_task(calls(over_the_kept_one))
            group.create_task(calls(lambda: listed(at.management, how)))
            for _ in range(3):
                await asyncio.sleep(0.3)
                issued = authority.server()
                mounted.put(issued)
                async with asyncio.timeout(5):
                    for address in (at.grpc, at.management):
                        while await served_serial(address) != serial(issued.certificate):
                            await asyncio.sleep(0.05)
            done.set()
    assert len(codes) > 30
    assert set(codes) == {None}


async def test_plaintext_for_others_has_to_be_written_out(tmp_path: Path) -> None:
    with pytest.raises(HourglassError) as refused:
        await run(two_ports(tmp_path, grpcHost="0.0.0.0"), registry=CollectorRegistry())
    assert refused.value.reason == "INSECURE_ADDRESS"
    assert "grpcPort" in refused.value.message
    with capture_logs() as logs:
        async with running_executor(two_ports(tmp_path, grpcHost="0.0.0.0", insecure=True)) as at:
            assert at.grpc.startswith("0.0.0.0:")
    said = " ".join(line["event"] for line in logs if line["log_level"] == "warning")
    assert "MANAGEMENT IS OPEN" in said
    assert "TASK SIGNATURES ARE NOT VERIFIED" in said


# -- health, reflection, channelz, probes


async def statuses(channel: grpc.aio.Channel) -> dict[str, Any]:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.List(health_pb2.HealthListRequest(), timeout=5)
    return {name: one.status for name, one in answer.statuses.items()}


async def watched(channel: grpc.aio.Channel, service: str) -> Any:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=service))
    assert (await watch.read()).status == SERVING
    return watch


async def test_health_is_told_for_each_service_and_before_the_drain(tmp_path: Path) -> None:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    given = two_ports(tmp_path, stopGrace="5s")
    async with asyncio.TaskGroup() as group:
        group.create_task(
            run(given, stop=stop, on_ready=ready.set_result, registry=CollectorRegistry())
        )
        at: Addresses = await ready
        async with open_channel(at.grpc) as tasks, open_channel(at.management) as management:
            assert await statuses(tasks) == {"": SERVING, TASKS: SERVING}
            assert await statuses(management) == {
                "": SERVING,
                MANAGEMENT: SERVING,
                INSPECTION: SERVING,
            }
            for channel, service in ((tasks, TASKS), (management, MANAGEMENT)):
                stub: Any = health_pb2_grpc.HealthStub(channel)
                one = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
                assert one.status == SERVING
            watches = [
                await watched(tasks, ""),
                await watched(tasks, TASKS),
                await watched(management, INSPECTION),
            ]
            stop.set()
            for watch in watches:
                assert (await watch.read()).status == NOT_SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_what_each_port_serves(tmp_path: Path, version: str) -> None:
    async with running_executor(two_ports(tmp_path)) as at:
        for address, wanted, absent in (
            (at.grpc, TASKS, MANAGEMENT),
            (at.management, MANAGEMENT, TASKS),
        ):
            async with open_channel(address) as channel:
                call: Any = channel.stream_stream(
                    f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                    request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                    response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
                )()
                await call.write(reflection_pb2.ServerReflectionRequest(list_services="*"))
                answer = await call.read()
                call.cancel()
            names = {one.name for one in answer.list_services_response.service}
            assert {wanted, "grpc.health.v1.Health"} <= names
            assert absent not in names


async def test_channelz_is_served_where_it_is_asked_for(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with running_executor(two_ports(tmp_path, channelzAddress=address)) as at:
        assert await listed(at.management) is None
        async with open_channel(address) as channel:
            stub: Any = channelz_pb2_grpc.ChannelzStub(channel)
            found = await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=5)
        assert any(one.data.calls_succeeded for one in found.server)
        async with open_channel(at.management) as channel:  # and nowhere else
            stub = channelz_pb2_grpc.ChannelzStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_probes_and_the_metric_of_unverified_tasks(tmp_path: Path) -> None:
    given = two_ports(tmp_path, metrics={"address": "127.0.0.1:0"})
    async with running_executor(given) as at, aiohttp.ClientSession() as http:
        for path in ("healthz", "readyz", "livez"):
            async with http.get(f"http://{at.admin}/{path}") as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")
        async with http.get(f"http://{at.admin}/metrics") as answer:
            assert "hourglass_executor_tasks_unverified 1.0" in await answer.text()


# -- limits and pings


def pings(stream: bytes) -> int:
    """Return how many HTTP/2 PING frames are in what a client sent."""
    found, at = 0, 0
    while at + 9 <= len(stream):
        found += stream[at + 3] == 6 and not stream[at + 4] & 1  # not an answer to one
        at += 9 + int.from_bytes(stream[at : at + 3], "big")
    return found


async def test_clients_that_ping_without_calls_keep_their_connection(tmp_path: Path) -> None:
    """The reference's clients ping every 10 s; here a client does it ten times as often."""
    async with (
        running_executor(two_ports(tmp_path)) as at,
        cutting_proxy(int(at.grpc.rpartition(":")[2])) as proxy,
        grpc.aio.insecure_channel(
            f"127.0.0.1:{proxy.port}",
            options=(
                ("grpc.keepalive_time_ms", 1000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.max_pings_without_data", 0),
            ),
        ) as channel,
    ):
        stub: Any = health_pb2_grpc.HealthStub(channel)
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        proxy.arm()
        await asyncio.sleep(5.5)
        assert pings(bytes(proxy.seen["up"])) >= 4
        assert channel.get_state() is grpc.ChannelConnectivity.READY
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert proxy.connections == 1
        assert proxy.opened == 1


async def test_a_submission_over_the_limits_is_refused_and_the_executor_serves_on(
    tmp_path: Path,
) -> None:
    async with running_executor(two_ports(tmp_path)) as at, open_channel(at.grpc) as channel:
        stub: Any = executor_pb2_grpc.ExecutorServiceStub(channel)

        async def code(payload: bytes, **more: Any) -> Code:
            task = submission_to_proto(submission(payload=payload))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.SubmitTask(task, timeout=10, **more)
            return from_rpc_error(refused.value).code

        assert await code(b"x") is Code.NOT_FOUND
        assert await code(bytes(4 * MIB)) is Code.RESOURCE_EXHAUSTED
        packed = {"compression": grpc.Compression.Gzip}
        assert await code(bytes(64 * MIB), **packed) is Code.RESOURCE_EXHAUSTED
        much = (("x-much", "x" * 64 * 1024),)
        assert await code(b"x", metadata=much) is Code.RESOURCE_EXHAUSTED
        assert await code(b"x") is Code.NOT_FOUND


async def test_bytes_that_are_no_submission_are_an_invalid_argument(tmp_path: Path) -> None:
    not_utf8 = b"\x0a\x02\xff\xfe"  # task_id
    async with running_executor(two_ports(tmp_path)) as at, open_channel(at.grpc) as channel:
        call: Any = channel.unary_unary(f"/{TASKS}/SubmitTask")
        for garbage in (b"\xff\xff", not_utf8, b"\x0a\xff\xff\xff\xff\x0f"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(garbage, timeout=5)
            error = from_rpc_error(refused.value)
            assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, "MALFORMED_REQUEST")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", timeout=5)
        assert from_rpc_error(refused.value).message == "invalid task ID length: expected 66, got 0"
