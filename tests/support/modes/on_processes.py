"""Process mode."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psutil
from hourglass_executor.deployers.os_process import MARKER

from .world import Artifact, Untouched, of_avs


class ProcessWorld:
    """Implements ``World``."""

    mode = "process"
    said = "Deployment completed successfully"
    prefix = "deployment"
    artifacts = (
        Artifact("demo-performer", "sha256:" + "1" * 64),
        Artifact("demo-performer", "sha256:" + "2" * 64),
    )
    missing = Artifact("nowhere.test/nothing", "sha256:" + "0" * 64)

    def section(self, *, deploy_timeout: str, stop_on_exit: bool) -> dict[str, Any]:
        return {
            "processes": {
                "allow": True,
                "deployTimeout": deploy_timeout,
                "stopGrace": "1s",
                "stopOnExit": stop_on_exit,
            }
        }

    async def kill(self, resource: str) -> None:
        os.kill(_pid(resource), signal.SIGKILL)

    async def life(self, resource: str) -> object:
        try:
            return _pid(resource), psutil.Process(_pid(resource)).create_time()
        except psutil.Error:
            return None

    async def environment(self, resource: str) -> Mapping[str, str]:
        return psutil.Process(_pid(resource)).environ()

    async def left(self, avs: str) -> list[str]:
        return [str(pid) for pid in processes_of(avs, MARKER)]

    async def take_away(self, avs: str) -> None:
        for pid in processes_of(avs, MARKER):
            os.kill(pid, signal.SIGKILL)

    @asynccontextmanager
    async def foreign(self, avs: str) -> AsyncIterator[Untouched]:
        command = [sys.executable, "-m", "hourglass_cli.demo_performer"]
        told = os.environ | {"GRPC_PORT": "0", "AVS_ADDRESS": avs}
        with subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL) as process:

            async def untouched() -> bool:
                return process.poll() is None

            try:
                yield untouched
            finally:
                process.kill()


def processes_of(avs: str, marker: str) -> Iterator[int]:
    """Return the processes that were told to be performers of an AVS, by what ``marker`` marks."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if alive and marker in environment and of_avs(environment, avs):
            yield process.pid


def _pid(resource: str) -> int:
    return int(resource.removeprefix("pid-"))


@contextmanager
def on_processes() -> Iterator[ProcessWorld]:
    yield ProcessWorld()
