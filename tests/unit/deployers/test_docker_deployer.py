"""Docker mode against an engine of a few lines: what it does while a pull goes on."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_executor.deployers.deployment import Mode
from hourglass_executor.deployers.docker.deployer import DockerDeployer
from hourglass_executor.deployers.docker.engine import EngineAddress
from hourglass_executor.deployers.docker.options import DockerOptions
from hourglass_executor.deployers.docker.plan import Place

from tests.support.executor_process import until
from tests.support.executor_values import deployment

LINES = (
    b'{"status": "Already exists", "id": "aaa"}\n'
    b'{"status": "Downloading", "id": "bbb", '
    b'"progressDetail": {"current": 1000000, "total": 3000000}}\n'
)


class Nobody:
    def endpoints_changed(self, performer_id: str, endpoints: object) -> None: ...

    def handle_changed(self, performer_id: str, handle: str) -> None: ...


class PullingEngine:
    """Has no image until ``fetched`` is set; ``asked`` are the requests that change something."""

    def __init__(self) -> None:
        self.fetched = asyncio.Event()
        self.ended = asyncio.Event()
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1.43")
        if request.method == "POST":
            self.asked.append(path)
        if path == "/version":
            return web.json_response({"ApiVersion": "1.43"})
        if path == "/events":
            await self.ended.wait()
        if path == "/containers/json":
            return web.json_response([])
        if path == "/images/create":
            return await self._pull(request)
        if path.startswith("/images/") and self.fetched.is_set():
            return web.json_response({"Id": "x", "Config": {}})
        return web.json_response({"message": "no such thing"}, status=404)

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(LINES)
        await self.fetched.wait()
        await answer.write_eof()
        return answer


@asynccontextmanager
async def deployer(folder: Path) -> AsyncIterator[tuple[DockerDeployer, PullingEngine]]:
    engine = PullingEngine()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    socket = folder / "engine.sock"
    await web.UnixSite(runner, str(socket)).start()
    options = DockerOptions(
        address=EngineAddress(host=f"unix://{socket}"), place=Place(executor="me"), logs=folder
    )
    try:
        async with DockerDeployer(
            Nobody(), options, clock=SystemClock(), rng=random.Random(1), environ={}
        ) as found:
            yield found, engine
    finally:
        engine.ended.set()
        await runner.cleanup()


async def test_how_far_a_pull_has_come_is_the_reason_while_it_lasts(tmp_path: Path) -> None:
    async with deployer(tmp_path) as (docker, _), asyncio.TaskGroup() as group:
        deploying = group.create_task(docker.deploy(deployment(mode=Mode.DOCKER)))
        await until(lambda: "1 of 2 layers, 1.0 of 3.0 MB" in docker.reason("performer-1"), 5)
        deploying.cancel()


@pytest.mark.parametrize("by", ["its removal", "the end"])
async def test_what_is_taken_away_during_its_pull_is_not_made(tmp_path: Path, by: str) -> None:
    async with deployer(tmp_path) as (docker, engine):
        wanted = deployment(mode=Mode.DOCKER)
        async with asyncio.TaskGroup() as group:
            deploying = group.create_task(_error(docker, wanted))
            await until(lambda: "1 of 2 layers" in docker.reason("performer-1"), 5)
            await (docker.remove("performer-1") if by == "its removal" else docker.stop_all())
            engine.fetched.set()
        refused = deploying.result()
        assert refused is not None
        assert refused.code is Code.UNAVAILABLE
        if by == "the end":
            with pytest.raises(HourglassError, match="is being taken away"):
                await docker.deploy(wanted)
        assert engine.asked == ["/images/create"]


async def _error(docker: DockerDeployer, wanted: object) -> HourglassError | None:
    try:
        await docker.deploy(wanted)  # type: ignore[arg-type]
    except HourglassError as error:
        return error
    return None
