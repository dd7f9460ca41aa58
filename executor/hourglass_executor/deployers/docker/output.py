"""What containers write, copied into files as process mode has them, a timestamp before each line.

The engine keeps the output as well, so that nothing is lost while no executor runs: the timestamp
at a file's end says from where on to copy.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_executor.deployers.log_files import log_file, prune, trim_log

from .engine import DockerEngine

log = get_logger(__name__)

BYTES_PER_SECOND = 2 << 20
"""So fast at most: the engine holds the rest back, and a noisy performer slows nobody down."""
_TAIL_BYTES = 64 << 10
_STAMP = re.compile(rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{9})?Z) ", re.MULTILINE)
"""Podman's have no fraction."""


class OutputFiles:
    """One follower for each container that runs."""

    def __init__(
        self, engine: DockerEngine, folder: Path, group: asyncio.TaskGroup, clock: Clock
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._group = group
        self._clock = clock
        self._followers: dict[str, asyncio.Task[None]] = {}
        self._files: dict[str, Path] = {}

    def follow(self, container: str, name: str) -> None:
        """Copy what ``container`` writes until it ends; nothing happens if that is done already."""
        if container in self._followers:
            return
        file = self._files[container] = log_file(self._folder, name)
        task = self._group.create_task(self._copy(container, file))
        self._followers[container] = task
        task.add_done_callback(lambda _: self._followers.pop(container, None))

    def forget(self, container: str) -> None:
        """Its last lines are copied, and then its file is one of the past."""
        self._files.pop(container, None)

    def close(self) -> None:
        for task in tuple(self._followers.values()):
            task.cancel()

    async def _copy(self, container: str, file: Path) -> None:
        try:
            await asyncio.to_thread(prune, self._folder, tuple(self._files.values()))
            last = await asyncio.to_thread(_prepared, file)
            async with aclosing(self._engine.follow_output(container, _seconds(last))) as frames:
                await self._write(frames, file, last)
        except HourglassError as error:
            log.debug("output not followed", container=container[:12], error=error.message)
        except OSError as error:
            log.warning("output not kept", file=str(file), error=str(error))

    async def _write(self, frames: AsyncGenerator[bytes, None], file: Path, last: bytes) -> None:
        written, began = 0, self._clock.monotonic()
        with file.open("ab", buffering=0) as output:
            async for frame in frames:
                if last and _is_kept(frame[: len(last)], last):
                    continue
                output.write(frame)
                written += len(frame)
                if written >= BYTES_PER_SECOND:
                    trim_log(file)
                    lasted = self._clock.monotonic() - began
                    await asyncio.sleep(max(0.0, 1.0 - lasted))
                    written, began = 0, self._clock.monotonic()
        trim_log(file)


def _prepared(file: Path) -> bytes:
    """Make the file, for its owner alone; return the last timestamp in it, empty if none is."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(handle).st_size
        tail = os.pread(handle, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    finally:
        os.close(handle)
    found = _STAMP.findall(tail)
    return bytes(found[-1]) if found else b""


def _is_kept(stamp: bytes, last: bytes) -> bool:
    """Whether a line is in the file already; where only seconds are told, rather twice than not."""
    return stamp < last or (stamp == last and b"." in last)


def _seconds(stamp: bytes) -> str:
    """Return a timestamp as the engine wants it in ``since``: Unix seconds, a dot, nanoseconds."""
    if not stamp:
        return ""
    whole, _, nanoseconds = stamp.decode().removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole + "+00:00").timestamp())
    return f"{seconds}.{nanoseconds or '0'}"
