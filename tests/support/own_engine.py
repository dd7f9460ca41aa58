"""A Docker Engine of a test's own, to be stopped and started again. Needs root."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .docker_daemon import docker
from .executor_process import until


class OwnEngine:
    """``host`` is as DOCKER_HOST spells it; its images and containers are its own."""

    def __init__(self, folder: Path, bridge: str) -> None:
        self.host = f"unix://{folder}/docker.sock"
        self._folder = folder
        self._bridge = bridge
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return once it answers."""
        folder = self._folder
        with (folder / "dockerd.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "dockerd",
                f"--data-root={folder}/data",
                f"--exec-root={folder}/exec",
                f"--pidfile={folder}/pid",
                f"--host={self.host}",
                f"--bridge={self._bridge}",
                "--iptables=false",
                "--ip-masq=false",
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        async def answers() -> bool:
            return await docker("--host", self.host, "version", check=False) == 0

        await until(answers, 30)

    async def stop(self) -> None:
        """Return when it has ended, and its containers with it; nothing happens if it has."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            await process.wait()


def why_no_own_engine() -> str:
    """Return why a test can not have one here, "" if it can."""
    if os.geteuid() != 0:
        return "only root can start a Docker Engine"
    missing = [name for name in ("dockerd", "ip") if shutil.which(name) is None]
    return f"no {' and no '.join(missing)} in PATH" if missing else ""


@asynccontextmanager
async def own_engine(folder: Path, image: str) -> AsyncIterator[OwnEngine]:
    """Run one that has ``image``, copied from the usual one; nothing of it is left afterwards."""
    bridge = f"hg{os.getpid()}"
    await _ip("link", "add", "name", bridge, "type", "bridge")
    try:
        await _ip("addr", "add", f"172.31.{os.getpid() % 254 + 1}.1/24", "dev", bridge)
        await _ip("link", "set", bridge, "up")
        engine = OwnEngine(folder, bridge)
        await engine.start()
        try:
            saved = folder / "image.tar"
            await docker("save", "--output", str(saved), image)
            await docker("--host", engine.host, "load", "--input", str(saved))
            saved.unlink()
            yield engine
        finally:
            await _emptied(engine)
            await engine.stop()
    finally:
        await _ip("link", "del", bridge)


async def _emptied(engine: OwnEngine) -> None:
    command = f"docker --host {engine.host} ps -aq | xargs -r docker --host {engine.host} rm -f"
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.DEVNULL)
    await process.wait()


async def _ip(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *arguments)
    assert await process.wait() == 0, arguments
