"""The executor with performers in containers of a real Docker Engine."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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

from tests.support.docker_daemon import Stock, docker, registry
from tests.support.docker_stock import stocked
from tests.support.executor_process import executor_process, running_executor, until
from tests.support.executor_values import AVS, configuration, submission


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    return stocked(tmp_path_factory)


@pytest.fixture
def image(stock: Stock) -> str:
    return stock.image


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    async with DockerEngine(EngineAddress.of_environment(os.environ)) as found:
        yield found


def docker_configuration(folder: Path, image: str, **changes: Any) -> dict[str, Any]:
    repository, _, tag = image.rpartition(":")
    performer = {"image": {"repository": repository, "tag": tag}, "avsAddress": AVS}
    given: dict[str, Any] = {
        "avsPerformers": [performer],
        "docker": {"imagePullPolicy": "Never", "stopGrace": "2s"},
        "processes": {},
        **changes,
    }
    return configuration(folder, **given)


def in_docker(folder: Path, image: str, **changes: Any) -> ExecutorSettings:
    return ExecutorSettings.model_validate(docker_configuration(folder, image, **changes))


@asynccontextmanager
async def client(address: str) -> AsyncIterator[ExecutorClient]:
    async with open_channel(address) as channel:
        yield ExecutorClient(channel)


async def containers(engine: DockerEngine, performer_id: str) -> list[Any]:
    return [
        await engine.container(str(each["Id"]))
        for each in await engine.containers(f"{PERFORMER_LABEL}={performer_id}")
    ]


async def performer_of(executor: ExecutorClient) -> str:
    (found,) = await executor.list()
    return found.performer_id


async def test_a_task_comes_back_and_nothing_is_left_after_a_graceful_stop(
    tmp_path: Path, image: str, engine: DockerEngine
) -> None:
    async with running_executor(in_docker(tmp_path, image)) as at, client(at.grpc) as executor:
        assert (await executor.submit(submission(), timeout_seconds=30)).output == b"0x10"
        performer = await performer_of(executor)
        (found,) = await containers(engine, performer)
        assert found["Config"]["User"] == "65532:65532"
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        (bound,) = found["NetworkSettings"]["Ports"]["8080/tcp"]
        assert bound["HostIp"] == "127.0.0.1"
    assert await containers(engine, performer) == []


async def test_a_container_that_is_killed_comes_back_by_itself(
    tmp_path: Path, image: str, engine: DockerEngine
) -> None:
    async with running_executor(in_docker(tmp_path, image)) as at, client(at.grpc) as executor:
        await executor.submit(submission(), timeout_seconds=30)
        (found,) = await containers(engine, await performer_of(executor))
        await docker("kill", "--signal=KILL", found["Id"])
        await docker("start", found["Id"])  # `docker kill` counts as a stop that somebody meant
        result = await executor.submit(submission(2), timeout_seconds=30)
        assert result.output == b"0x10"


async def test_a_container_that_somebody_removed_is_made_anew(
    tmp_path: Path, image: str, engine: DockerEngine
) -> None:
    async with running_executor(in_docker(tmp_path, image)) as at, client(at.grpc) as executor:
        await executor.submit(submission(), timeout_seconds=30)
        performer = await performer_of(executor)
        (found,) = await containers(engine, performer)
        await docker("rm", "--force", found["Id"])
        result = await executor.submit(submission(2), timeout_seconds=40)
        assert result.output == b"0x10"
        (another,) = await containers(engine, performer)
        assert another["Id"] != found["Id"]


async def test_an_executor_that_is_killed_finds_its_container_again_and_leaves_it_running(
    tmp_path: Path, image: str, engine: DockerEngine
) -> None:
    given = docker_configuration(tmp_path, image)
    async with executor_process(given, tmp_path) as (process, address):
        async with client(address) as executor:
            await executor.submit(submission(), timeout_seconds=30)
            performer = await performer_of(executor)
        (before,) = await containers(engine, performer)
        process.kill()
        await process.wait()
    async with running_executor(in_docker(tmp_path, image)) as at, client(at.grpc) as executor:
        assert (await executor.submit(submission(2), timeout_seconds=30)).output == b"0x10"
        assert await performer_of(executor) == performer
        (after,) = await containers(engine, performer)
        assert (after["Id"], after["State"]["StartedAt"]) == (
            before["Id"],
            before["State"]["StartedAt"],
        )


async def test_an_image_that_is_not_here_is_told_with_what_to_do(
    tmp_path: Path, image: str
) -> None:
    given = in_docker(tmp_path, image, avsPerformers=[])
    async with running_executor(given) as at, client(at.grpc) as executor:
        request = DeployRequest(
            avs_address=AVS, digest=f"sha256:{'0' * 64}", registry="nowhere.test/x"
        )
        with pytest.raises(HourglassError, match="is not on this machine") as caught:
            await executor.deploy(request, timeout_seconds=30)
        assert caught.value.code is Code.FAILED_PRECONDITION
        assert await executor.list() == ()


async def test_containers_of_others_are_never_touched(
    tmp_path: Path, image: str, engine: DockerEngine
) -> None:
    name = f"foreign-{os.getpid()}"
    await docker("run", "--detach", "--name", name, "--label", f"{EXECUTOR_LABEL}=other", image)
    try:
        async with running_executor(in_docker(tmp_path, image)) as at, client(at.grpc) as executor:
            await executor.submit(submission(), timeout_seconds=30)
        found = await engine.container(name)
        assert found is not None
        assert found["State"]["Running"]
    finally:
        await docker("rm", "--force", name)


async def test_digests_are_pulled_and_a_new_one_takes_over_without_a_failed_task(
    tmp_path: Path, stock: Stock, engine: DockerEngine
) -> None:
    given = in_docker(tmp_path, stock.image, avsPerformers=[], docker={"stopGrace": "2s"})
    async with (
        registry(tmp_path, stock.folder) as hub,
        running_executor(given) as at,
        client(at.grpc) as executor,
    ):
        asked = [
            DeployRequest(avs_address=AVS, digest=digest, registry=f"{hub}/demo")
            for digest in stock.digests
        ]
        assert asked[0].digest != asked[1].digest
        await executor.deploy(asked[0], timeout_seconds=60)
        old = await performer_of(executor)
        done: list[bytes] = []

        async def load() -> None:
            for number in range(1, 400):
                result = await executor.submit(submission(number), timeout_seconds=30)
                done.append(result.output)
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as group:
            loading = group.create_task(load())
            await executor.deploy(asked[1], timeout_seconds=60)
            await loading
        assert set(done) == {b"0x10"}
        (now,) = await executor.list()
        assert (now.artifact_digest, now.performer_id != old) == (asked[1].digest, True)

        async def gone() -> bool:
            return not await containers(engine, old)

        await until(gone)


async def test_a_registry_that_asks_who_pulls_is_told_by_docker_s_own_file(
    tmp_path: Path, stock: Stock
) -> None:
    async with registry(tmp_path, stock.folder, user="jo", password="secret") as hub:
        home = tmp_path / "docker-config"
        await docker("--config", str(home), "login", "-u", "jo", "-p", "secret", hub)
        for credentials, code in ((None, Code.PERMISSION_DENIED), (home / "config.json", None)):
            options = {"stopGrace": "2s", "credentialsFile": str(credentials or tmp_path / "none")}
            given = in_docker(tmp_path, stock.image, avsPerformers=[], docker=options)
            request = DeployRequest(
                avs_address=AVS, digest=stock.digests[0], registry=f"{hub}/demo"
            )
            async with running_executor(given) as at, client(at.grpc) as executor:
                if code is None:
                    await executor.deploy(request, timeout_seconds=40)
                    result = await executor.submit(submission(), timeout_seconds=40)
                    assert result.output == b"0x10"
                else:
                    with pytest.raises(HourglassError, match="can not be pulled") as refused:
                        await executor.deploy(request, timeout_seconds=40)
                    assert refused.value.code is code
        await docker("rmi", "--force", f"{hub}/demo@{stock.digests[0]}")
