"""Docker mode, on the engine that DOCKER_HOST names, with images from a registry on loopback."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from hourglass_executor.deployers.docker.engine import DockerEngine, EngineAddress
from hourglass_executor.deployers.docker.plan import EXECUTOR_LABEL, PERFORMER_LABEL

from tests.support.docker_daemon import Stock, docker, registry

from .loop_thread import loop_thread
from .world import Artifact, Untouched, of_avs

FOREIGN = "somebody-else"


class DockerWorld:
    """Implements ``World``."""

    mode = "docker"
    said = "Deployment completed successfully"
    prefix = "deployment"

    def __init__(self, hub: str, stock: Stock) -> None:
        first, second = stock.digests
        self.artifacts = (Artifact(f"{hub}/demo", first), Artifact(f"{hub}/demo", second))
        self.missing = Artifact(f"{hub}/nothing", "sha256:" + "0" * 64)
        self._image = stock.image

    def section(self, *, deploy_timeout: str, stop_on_exit: bool) -> dict[str, Any]:
        return {
            "docker": {
                "deployTimeout": deploy_timeout,
                "stopGrace": "1s",
                "stopOnExit": stop_on_exit,
            }
        }

    async def kill(self, resource: str) -> None:
        # By its own user, from inside: an engine takes `docker kill` for a stop that is meant.
        await docker("exec", resource, "sh", "-c", "kill -9 -1", check=False)

    async def life(self, resource: str) -> object:
        found = await self._inspect(resource)
        return (found["Id"], found["State"]["StartedAt"]) if found else None

    async def environment(self, resource: str) -> Mapping[str, str]:
        found = await self._inspect(resource)
        assert found is not None
        return _environment(found)

    async def left(self, avs: str) -> list[str]:
        async with engine() as asked:
            whole = [
                await asked.container(str(each["Id"]))
                for each in await asked.containers(PERFORMER_LABEL)
            ]
        return [
            str(each["Id"])
            for each in whole
            if each is not None
            and of_avs(_environment(each), avs)
            and each["Config"]["Labels"][EXECUTOR_LABEL] != FOREIGN
        ]

    async def take_away(self, avs: str) -> None:
        await docker("rm", "--force", *await self.left(avs))

    @asynccontextmanager
    async def foreign(self, avs: str) -> AsyncIterator[Untouched]:
        name = f"performer-foreign-{os.getpid()}"
        labels = (f"--label={EXECUTOR_LABEL}={FOREIGN}", f"--label={PERFORMER_LABEL}={name}")
        await docker(
            "run", "--detach", "--name", name, *labels, f"--env=AVS_ADDRESS={avs}", self._image
        )
        before = await self.life(name)

        async def untouched() -> bool:
            found = await self._inspect(name)
            return bool(found and found["State"]["Running"]) and await self.life(name) == before

        try:
            yield untouched
        finally:
            await docker("rm", "--force", name)

    async def _inspect(self, resource: str) -> Mapping[str, Any] | None:
        async with engine() as asked:
            return await asked.container(resource)


@asynccontextmanager
async def engine() -> AsyncIterator[DockerEngine]:
    async with DockerEngine(EngineAddress.of_environment(os.environ)) as found:
        yield found


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    pairs = (each.partition("=") for each in container["Config"]["Env"])
    return {name: value for name, _, value in pairs}


@contextmanager
def in_docker(stock: Stock, folder: Path) -> Iterator[DockerWorld]:
    with loop_thread() as thread:
        hub = thread.enter(registry(folder, stock.folder))
        world = DockerWorld(hub, stock)
        try:
            yield world
        finally:
            images = [f"{one.registry}@{one.digest}" for one in world.artifacts]
            thread.run(docker("rmi", "--force", *images, check=False))
