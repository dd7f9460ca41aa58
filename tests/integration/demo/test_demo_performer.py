"""The demo performer as a process: what it answers, and each way of misbehaving."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.v1.performer import performer_pb2, performer_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.demo_performer import RunningPerformer, demo_performer

TASK = b"0x" + b"ab" * 32


async def execute(performer: RunningPerformer, payload: bytes = b"0x4") -> bytes:
    async with grpc.aio.insecure_channel(performer.address) as channel:
        stub = performer_pb2_grpc.PerformerServiceStub(channel)
        request = performer_pb2.TaskRequest(task_id=TASK, payload=payload)
        answer = await stub.ExecuteTask(request, timeout=20)
        assert answer.task_id == TASK
        return bytes(answer.result)


async def failure(performer: RunningPerformer, payload: bytes = b"0x4") -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await execute(performer, payload)
    return failed.value


async def health(performer: RunningPerformer) -> int:
    async with grpc.aio.insecure_channel(performer.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
        return int(answer.status)


async def test_it_squares_and_says_that_it_serves() -> None:
    async with demo_performer() as performer:
        assert await execute(performer) == b"0x10"
        assert await health(performer) == health_pb2.HealthCheckResponse.SERVING


async def test_a_payload_that_is_no_number_is_an_invalid_argument_that_ran() -> None:
    async with demo_performer() as performer:
        error = await failure(performer, b"four")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "'four' is not a hexadecimal number" in str(error.details())
    assert ("hourglass-task-state", "failed") in tuple(error.trailing_metadata())


async def test_each_nth_task_fails_with_the_code_asked_for() -> None:
    async with demo_performer("--fail-every=2", "--fail=UNAVAILABLE") as performer:
        assert await execute(performer) == b"0x10"
        assert (await failure(performer)).code() is grpc.StatusCode.UNAVAILABLE
        assert await execute(performer) == b"0x10"


async def test_it_stops_serving_after_so_many_tasks_and_watchers_hear_of_it() -> None:
    async with (
        demo_performer(DEMO_PERFORMER_NOT_SERVING_AFTER="1") as performer,
        grpc.aio.insecure_channel(performer.address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=20)
        seen = [(await watch.read()).status]
        assert await execute(performer) == b"0x10"
        seen.append((await watch.read()).status)
        watch.cancel()
    statuses = health_pb2.HealthCheckResponse
    assert seen == [statuses.SERVING, statuses.NOT_SERVING]


async def test_it_crashes_in_the_middle_of_a_task_that_the_ledger_has(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with demo_performer("--exit-during=1", f"--ledger={ledger}") as performer:
        assert (await failure(performer)).code() is grpc.StatusCode.UNAVAILABLE
        assert await performer.process.wait() == 1
    assert ledger.read_bytes() == TASK + b"\n"


async def test_it_leaves_after_so_many_answers() -> None:
    async with demo_performer("--exit-after=1") as performer:
        assert await execute(performer) == b"0x10"
        async with asyncio.timeout(20):
            assert await performer.process.wait() == 0


async def test_sigterm_lets_a_running_task_finish(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with demo_performer("--delay=0.5", f"--ledger={ledger}") as performer:
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(execute(performer))
            while not ledger.exists():
                await asyncio.sleep(0.01)
            performer.process.send_signal(signal.SIGTERM)
        assert answer.result() == b"0x10"
        assert await performer.process.wait() == 0


async def test_sigterm_can_be_ignored() -> None:
    async with demo_performer("--ignore-sigterm") as performer:
        performer.process.send_signal(signal.SIGTERM)
        assert await execute(performer) == b"0x10"


async def test_chatter_is_a_line_of_ten_megabytes() -> None:
    async with demo_performer("--chatter") as performer:
        assert performer.process.stdout is not None
        garbage = await performer.process.stdout.readuntil(b"\n")
        length = 0
        while not (chunk := await performer.process.stdout.read(1 << 16)).endswith(b"\n"):
            length += len(chunk)
        assert b"\xff" in garbage
        assert length + len(chunk) == 10_000_001


async def test_a_taken_port_is_an_error_that_names_the_flag() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hourglass_cli.demo_performer",
            f"--port={taken.getsockname()[1]}",
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await process.communicate()
    assert process.returncode == 1
    assert b"--port or GRPC_PORT" in error
