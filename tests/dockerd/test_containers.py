"""What docker mode makes of a performer, seen from the engine."""

import asyncio
import os
import re
import shlex
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.deployers.docker.engine import DockerEngine, EngineAddress
from hourglass_executor.deployers.docker.plan import EXECUTOR_LABEL, PERFORMER_LABEL
from hourglass_executor.settings import ExecutorSettings
from hourglass_services.executor.client import ExecutorClient
from hourglass_services.executor.port import DeployRequest
from hourglass_services.rpc.channel import open_channel

from tests.support.docker_daemon import Stock, docker, docker_says
from tests.support.docker_stock import stocked
from tests.support.executor_process import executor_process, running_executor, until
from tests.support.executor_values import AVS, configuration, submission
from tests.support.own_engine import own_engine, why_no_own_engine

SLOW = 30.0


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    return stocked(tmp_path_factory)


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    async with DockerEngine(EngineAddress.of_environment(os.environ)) as found:
        yield found


def told(folder: Path, image: str, **changes: Any) -> dict[str, Any]:
    repository, _, tag = image.rpartition(":")
    performer = {"image": {"repository": repository, "tag": tag}, "avsAddress": AVS}
    options = {"imagePullPolicy": "Never", "stopGrace": "2s", **changes.pop("docker", {})}
    given = {"avsPerformers": [performer], "processes": {}, "docker": options, **changes}
    return configuration(folder, **given)


def given(folder: Path, image: str, **changes: Any) -> ExecutorSettings:
    return ExecutorSettings.model_validate(told(folder, image, **changes))


async def square(executor: ExecutorClient, number: int, seconds: float = SLOW) -> bytes:
    return (await executor.submit(submission(number), timeout_seconds=seconds)).output


async def container_of(engine: DockerEngine, executor: ExecutorClient) -> Any:
    """Return the only container of the only performer, as the engine inspects it."""
    (performer,) = await executor.list()
    (found,) = await engine.containers(f"{PERFORMER_LABEL}={performer.performer_id}")
    return await engine.container(str(found["Id"]))


async def test_a_performer_may_do_nothing_that_it_does_not_need(
    tmp_path: Path, stock: Stock, engine: DockerEngine
) -> None:
    limits = {"memory": "256Mi", "cpus": 0.5, "pids": 64, "readOnlyRoot": True}
    settings = given(tmp_path, stock.image, docker=limits)
    async with running_executor(settings) as at, open_channel(at.grpc) as channel:
        executor = ExecutorClient(channel)
        assert await square(executor, 1) == b"0x10"
        found = await container_of(engine, executor)
        inside = ("exec", found["Id"], "sh", "-c")
        status = await docker_says(*inside, "cat /proc/self/status")
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert facts["Uid"].split() == ["65532"] * 4
        assert {int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
        assert facts["NoNewPrivs"] == "1"
        assert await docker(*inside, "echo x > /here", check=False) != 0
        assert await docker(*inside, "echo x > /tmp/here") == 0
        host = found["HostConfig"]
        assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (256 << 20, 500_000_000, 64)
        assert host["RestartPolicy"]["Name"] == "unless-stopped"


async def test_a_performer_on_a_network_is_reached_there_and_has_no_port_of_the_host(
    tmp_path: Path, stock: Stock, engine: DockerEngine
) -> None:
    network = f"hourglass-test-{os.getpid()}"
    settings = given(tmp_path, stock.image, performerNetworkName=network)
    try:
        async with running_executor(settings) as at, open_channel(at.grpc) as channel:
            executor = ExecutorClient(channel)
            assert await square(executor, 1) == b"0x10"
            found = await container_of(engine, executor)
            assert list(found["NetworkSettings"]["Networks"]) == [network]
            assert not any(found["NetworkSettings"]["Ports"].values())
            made = await engine.network(network)
            assert made is not None
            assert EXECUTOR_LABEL in made["Labels"]
    finally:
        await docker("network", "rm", network)


async def test_output_is_in_a_file_and_goes_on_after_kill_9_without_a_gap_or_a_repeat(
    tmp_path: Path, stock: Stock
) -> None:
    configured = told(tmp_path / "data", stock.image, docker={"stopOnExit": True})

    def lines() -> list[str]:
        files = list((tmp_path / "data" / "logs").glob("performer-*.log"))
        return files[0].read_text().splitlines() if files else []

    def tasks() -> list[str]:
        return [line.split()[2].rstrip(":") for line in lines() if line.endswith(": done")]

    ids = [submission(number).task_id for number in (1, 2, 3)]
    async with executor_process(configured, tmp_path) as (process, address):
        async with open_channel(address) as channel:
            await square(ExecutorClient(channel), 1)
            await square(ExecutorClient(channel), 2)
        await until(lambda: tasks() == ids[:2], SLOW)
        process.kill()
        await process.wait()
    async with executor_process(configured, tmp_path) as (process, address):
        async with open_channel(address) as channel:
            await square(ExecutorClient(channel), 3)
        await until(lambda: tasks() == ids, SLOW)
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert len([line for line in lines() if "listening on" in line]) == 1


async def test_how_far_a_pull_has_come_is_the_reason_when_time_runs_out(
    tmp_path: Path, stock: Stock
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    hub = await asyncio.start_server(silent, "127.0.0.1", 0)
    registry = f"127.0.0.1:{hub.sockets[0].getsockname()[1]}/demo"
    always = {"imagePullPolicy": "Always"}
    settings = given(tmp_path, stock.image, avsPerformers=[], docker=always)
    async with hub, running_executor(settings) as at, open_channel(at.grpc) as channel:
        executor = ExecutorClient(channel)
        request = DeployRequest(avs_address=AVS, digest=f"sha256:{'0' * 64}", registry=registry)
        with pytest.raises(HourglassError, match="is being pulled: 0 of 0 layers") as late:
            await executor.deploy(request, timeout_seconds=2)
        assert late.value.code is Code.DEADLINE_EXCEEDED
        assert await executor.list() == ()


async def test_the_commands_of_the_how_to_show_a_performer(tmp_path: Path, stock: Stock) -> None:
    page = Path(__file__).parents[2] / "docs/how-to/run-performers-in-docker.md"
    (block,) = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    settings = given(tmp_path, stock.image)
    async with running_executor(settings) as at, open_channel(at.grpc) as channel:
        executor = ExecutorClient(channel)
        await square(executor, 1)
        (performer,) = await executor.list()
        said = [await docker_says(*shlex.split(line)[1:]) for line in block.splitlines()]
    assert performer.container_id in said[0]
    assert performer.performer_id in said[1]


async def test_a_container_that_somebody_stopped_is_started_again(
    tmp_path: Path, stock: Stock, engine: DockerEngine
) -> None:
    async with (
        running_executor(given(tmp_path, stock.image)) as at,
        open_channel(at.grpc) as channel,
    ):
        executor = ExecutorClient(channel)
        await square(executor, 1)
        before = await container_of(engine, executor)
        await docker("stop", before["Id"])
        assert await square(executor, 2) == b"0x10"
        after = await container_of(engine, executor)
        assert after["Id"] == before["Id"]
        assert after["State"]["StartedAt"] != before["State"]["StartedAt"]


@pytest.mark.skipif(bool(why_no_own_engine()), reason=why_no_own_engine() or "an engine")
async def test_a_restart_of_the_engine_is_survived(stock: Stock) -> None:
    with tempfile.TemporaryDirectory(prefix="hg") as place:  # the path of a socket is short
        folder = Path(place, "engine")
        folder.mkdir()
        async with own_engine(folder, stock.image) as own:
            settings = given(Path(place), stock.image, docker={"host": own.host})
            async with running_executor(settings) as at, open_channel(at.grpc) as channel:
                executor = ExecutorClient(channel)
                assert await square(executor, 1) == b"0x10"
                before = await executor.list()
                await own.stop()
                request = DeployRequest(avs_address="0x" + "1" * 40, digest="x", registry="y")
                with pytest.raises(HourglassError, match="gives no answer") as away:
                    await executor.deploy(request, timeout_seconds=10)
                assert (away.value.code, away.value.retry_after) == (Code.UNAVAILABLE, 1.0)
                ids = [one.performer_id for one in before]
                assert [one.performer_id for one in await executor.list()] == ids
                await own.start()
                assert await square(executor, 2) == b"0x10"
                assert [one.performer_id for one in await executor.list()] == ids
