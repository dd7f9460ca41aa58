"""The executor with performers as processes: real sockets, real processes, real crashes."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.main import run
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest, EnvironmentVariable
from hourglass_services.rpc.channel import open_channel
from prometheus_client import CollectorRegistry

from tests.support.executor_process import executor_process, running_executor, until
from tests.support.executor_values import AVS, configuration, settings, submission

DEMO = [sys.executable, "-m", "hourglass_cli.demo_performer"]
PERFORMER = {
    "image": {"repository": "demo-performer", "tag": "v1"},
    "avsAddress": AVS,
    "deploymentMode": "process",
}


@asynccontextmanager
async def client(address: str) -> AsyncIterator[ExecutorClient]:
    async with open_channel(address) as channel:
        yield ExecutorClient(channel)


def processes_allowed(**commands: list[str]) -> dict[str, Any]:
    named = {name.replace("_", "-"): command for name, command in commands.items()}
    return {"allow": True, "commands": named, "deployTimeout": "15s", "stopGrace": "1s"}


async def pids(executor: ExecutorClient) -> list[int]:
    return [
        int(one.container_id.removeprefix("pid-"))
        for one in await executor.list()
        if one.container_id
    ]


async def test_a_task_comes_back_with_the_performers_result(tmp_path: Path) -> None:
    async with running_executor(settings(tmp_path)) as at, client(at.grpc) as executor:
        result = await executor.submit(submission(), timeout_seconds=20)
        assert result.output == b"0x10"
        assert await executor.submit(submission(), timeout_seconds=20) == result
        (found,) = await executor.list(AVS.upper().replace("0X", "0x"))
        assert (found.status, found.application_healthy) == ("InService", True)
        assert await executor.list("0x" + "9" * 40) == ()
        (pid,) = await pids(executor)
    assert not psutil.pid_exists(pid)


async def test_bad_tasks_are_refused_with_the_right_codes(tmp_path: Path) -> None:
    async with running_executor(settings(tmp_path)) as at, client(at.grpc) as executor:
        await executor.submit(submission(), timeout_seconds=20)
        for bad, code, text in (
            (submission(task_id="0x1"), Code.INVALID_ARGUMENT, "invalid task ID length"),
            (submission(2, version=0), Code.INVALID_ARGUMENT, "version"),
            (submission(2, avs_address="0x" + "9" * 40), Code.NOT_FOUND, "AVS performer not found"),
            (submission(payload=b"0x5"), Code.ALREADY_EXISTS, "already processed"),
            (
                submission(2, executor_address="0x" + "9" * 40),
                Code.INVALID_ARGUMENT,
                "executor address mismatch",
            ),
        ):
            with pytest.raises(HourglassError, match=text) as refused:
                await executor.submit(bad, timeout_seconds=10)
            assert refused.value.code is code


async def test_a_performer_that_dies_in_the_middle_leaves_an_unknown_outcome(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "ledger"
    performer = {
        **PERFORMER,
        "envs": [
            {"name": "DEMO_PERFORMER_EXIT_DURING", "value": "1"},
            {"name": "DEMO_PERFORMER_LEDGER", "value": str(ledger)},
        ],
    }
    given = settings(tmp_path, avsPerformers=[performer])
    async with running_executor(given) as at, client(at.grpc) as executor:
        for _ in range(2):  # the repeat gets the same answer, and nothing runs again
            with pytest.raises(HourglassError) as unknown:
                await executor.submit(submission(), timeout_seconds=20)
            assert unknown.value.code is Code.ABORTED
            assert unknown.value.reason == "TASK_OUTCOME_UNKNOWN"
        assert not ledger.exists() or len(ledger.read_text().splitlines()) <= 1


async def test_a_performer_that_never_becomes_ready_leaves_the_old_one_serving(
    tmp_path: Path,
) -> None:
    given = settings(
        tmp_path,
        processes={**processes_allowed(never=[*DEMO, "--not-serving"]), "deployTimeout": "6s"},
    )
    async with running_executor(given) as at, client(at.grpc) as executor:
        first = await executor.submit(submission(1), timeout_seconds=20)
        request = DeployRequest(avs_address=AVS, digest="sha256:1", registry="never")
        async with asyncio.TaskGroup() as group:
            deploying = group.create_task(_error_of(executor.deploy(request, timeout_seconds=20)))
            await until(lambda: _statuses(executor, {"InService", "Staged"}))
            rival = await _error_of(executor.deploy(request, timeout_seconds=20))
            assert rival is not None
            assert rival.code is Code.ALREADY_EXISTS
            assert "deployment already in progress" in rival.message
        failed = deploying.result()
        assert failed is not None
        assert failed.code is Code.DEADLINE_EXCEEDED
        assert "deployment timeout" in failed.message
        assert (await executor.submit(submission(2), timeout_seconds=20)).output == first.output
        await until(lambda: _statuses(executor, {"InService"}))


async def _error_of(call: Any) -> HourglassError | None:
    try:
        await call
    except HourglassError as error:
        return error
    return None


async def _statuses(executor: ExecutorClient, wanted: set[str]) -> bool:
    return {one.status for one in await executor.list()} == wanted


async def test_a_deployment_replaces_the_one_before_and_leaves_no_ghost(tmp_path: Path) -> None:
    async with running_executor(settings(tmp_path)) as at, client(at.grpc) as executor:
        await executor.submit(submission(), timeout_seconds=20)
        (old,) = await executor.list()
        answer = await executor.deploy(
            DeployRequest(avs_address=AVS, digest="sha256:1", registry="demo-performer"),
            timeout_seconds=20,
        )
        assert answer.message == "Deployment completed successfully"
        (new,) = await executor.list()
        assert new.performer_id != old.performer_id
        assert (new.artifact_digest, new.status) == ("sha256:1", "InService")
        assert (await executor.submit(submission(2), timeout_seconds=20)).output == b"0x10"
        text = await executor.remove(new.performer_id)
        assert text == f"Performer {new.performer_id} removed successfully"
        assert await executor.list() == ()
        with pytest.raises(HourglassError, match=f"performer with ID {new.performer_id} not found"):
            await executor.remove(new.performer_id)


async def test_one_performer_that_can_not_start_stops_no_other(tmp_path: Path) -> None:
    broken = {**PERFORMER, "avsAddress": "0x" + "2" * 40, "image": {"repository": "x", "tag": "1"}}
    given = settings(tmp_path, avsPerformers=[broken, PERFORMER])
    async with running_executor(given) as at, client(at.grpc) as executor:
        assert (await executor.submit(submission(), timeout_seconds=20)).output == b"0x10"


async def test_a_line_of_10_mb_harms_nobody(tmp_path: Path) -> None:
    given = settings(
        tmp_path,
        processes=processes_allowed(demo_performer=[*DEMO, "--chatter"]),
    )
    async with running_executor(given) as at, client(at.grpc) as executor:
        assert (await executor.submit(submission(), timeout_seconds=20)).output == b"0x10"
    logs = list((tmp_path / "logs").iterdir())
    assert any(log.stat().st_size > 1_000_000 for log in logs)


async def test_a_second_executor_on_the_same_data_directory_is_refused(tmp_path: Path) -> None:
    async with running_executor(settings(tmp_path)):
        with pytest.raises(HourglassError, match="another executor"):
            await run(settings(tmp_path), registry=CollectorRegistry())


async def test_a_taken_port_is_named_with_its_setting(tmp_path: Path) -> None:
    async with running_executor(settings(tmp_path / "1")) as at:
        port = int(at.grpc.rpartition(":")[2])
        with pytest.raises(HourglassError) as refused:
            await run(settings(tmp_path / "2", grpcPort=port), registry=CollectorRegistry())
        assert "grpcPort" in refused.value.hint


async def test_a_start_that_fails_leaves_no_performer_behind(tmp_path: Path) -> None:
    marker = str(tmp_path)
    performer = {**PERFORMER, "envs": [{"name": "BELONGS_TO", "value": marker}]}
    async with running_executor(settings(tmp_path / "1", avsPerformers=[])) as at:
        taken = {"address": at.grpc}
        with pytest.raises(HourglassError) as refused:
            await run(
                settings(tmp_path / "2", avsPerformers=[performer], metrics=taken),
                registry=CollectorRegistry(),
            )
        assert "metrics.address" in refused.value.hint
    assert not [one for one in psutil.process_iter() if _belongs_to(one, marker)]


def _belongs_to(process: psutil.Process, marker: str) -> bool:
    try:
        return process.environ().get("BELONGS_TO") == marker
    except psutil.Error:
        return False


async def test_management_can_have_a_port_of_its_own(tmp_path: Path) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = settings(tmp_path, managementServerGrpcPort=port, avsPerformers=[])
    async with running_executor(given) as at, client(at.grpc) as tasks:
        assert at.management == f"127.0.0.1:{port}"
        with pytest.raises(HourglassError) as refused:
            await tasks.list()
        assert refused.value.code is Code.UNIMPLEMENTED
        async with client(at.management) as management:
            assert await management.list() == ()


async def test_after_kill_9_performers_and_results_are_as_before(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    given = configuration(tmp_path / "data", avsPerformers=[])
    request = DeployRequest(
        avs_address=AVS,
        digest="sha256:1",
        registry="demo-performer",
        environment=(
            EnvironmentVariable(name="DEMO_PERFORMER_LEDGER", value=str(ledger)),
            EnvironmentVariable(name="COLOUR", value="blue"),
        ),
    )
    async with executor_process(given, tmp_path) as (process, address):
        async with client(address) as executor:
            await executor.deploy(request, timeout_seconds=20)
            first = await executor.submit(submission(), timeout_seconds=20)
            (pid,) = await pids(executor)
            (performer,) = await executor.list()
        process.kill()
        await process.wait()
    assert psutil.Process(pid).environ()["COLOUR"] == "blue"
    async with executor_process(given, tmp_path) as (process, address):
        async with client(address) as executor:
            await until(lambda: _has_pid(executor, pid))
            assert [one.performer_id for one in await executor.list()] == [performer.performer_id]
            assert await executor.submit(submission(), timeout_seconds=20) == first
            assert (await executor.submit(submission(2), timeout_seconds=20)).output == b"0x10"
            # What dies now comes back with the environment of its deployment.
            psutil.Process(pid).kill()
            await until(lambda: _has_another_pid(executor, pid))
            (again,) = await pids(executor)
            assert psutil.Process(again).environ()["COLOUR"] == "blue"
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await process.wait() == 0
    assert not psutil.pid_exists(again)
    assert len(ledger.read_text().splitlines()) == 2


async def _has_pid(executor: ExecutorClient, pid: int) -> bool:
    return pid in await pids(executor)


async def _has_another_pid(executor: ExecutorClient, pid: int) -> bool:
    found = await pids(executor)
    return bool(found) and pid not in found


async def test_authentication_asks_for_a_signed_token_once(tmp_path: Path) -> None:
    from hourglass_executor.signing.ecdsa import EcdsaSigner
    from hourglass_executor.tasks.keccak import keccak256
    from hourglass_services.executor.port import AuthSignature

    from tests.support.executor_values import KEY, OPERATOR

    given = settings(tmp_path, authentication={"enabled": True}, avsPerformers=[])
    async with running_executor(given) as at, client(at.grpc) as executor:
        refused = await _error_of(executor.list())
        assert refused is not None
        assert refused.code is Code.UNAUTHENTICATED
        token = (await executor.challenge(OPERATOR)).token
        signature = EcdsaSigner(KEY).sign_message(keccak256(token.encode()))
        auth = AuthSignature(challenge_token=token, signature=signature)
        assert await executor.list(auth=auth) == ()
        again = await _error_of(executor.list(auth=auth))
        assert again is not None
        assert again.code is Code.UNAUTHENTICATED


async def test_a_task_that_waited_for_an_instance_is_run_after_kill_9(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    performer = {**PERFORMER, "envs": [{"name": "DEMO_PERFORMER_LEDGER", "value": str(ledger)}]}
    unready = configuration(
        tmp_path / "data",
        avsPerformers=[performer],
        processes=processes_allowed(demo_performer=[*DEMO, "--not-serving"]),
    )
    async with executor_process(unready, tmp_path) as (process, address):
        async with client(address) as executor:
            with pytest.raises(HourglassError):
                await executor.submit(submission(), timeout_seconds=3)
            (pid,) = await pids(executor)
        process.kill()
        await process.wait()
    assert not ledger.exists()
    psutil.Process(pid).kill()
    ready = configuration(tmp_path / "data", avsPerformers=[performer])
    async with (
        executor_process(ready, tmp_path) as (process, address),
        client(address) as executor,
    ):
        assert (await executor.submit(submission(), timeout_seconds=20)).output == b"0x10"
        process.send_signal(signal.SIGTERM)  # which ends the performer too
        async with asyncio.timeout(5):
            assert await process.wait() == 0
    assert len(ledger.read_text().splitlines()) == 1
