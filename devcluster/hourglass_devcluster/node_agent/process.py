"""One container as a process: a session of its own, its output in a log, never left behind."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hourglass_common.domain.errors import Code, HourglassError

from .logs import LogFile
from .orphans import MARK, forget, remember, signal_group

_CHUNK = 1 << 16
_DRAIN_SECONDS = 1.0
"""How long the output is read on after the end: something may still hold the pipe."""
_STOP_SECONDS = 0.7
"""What a process gets after SIGTERM when the whole dev cluster stops."""
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run; ``variables`` come on top of a few of this process's own (PATH, HOME, ...)."""

    words: Sequence[str]
    variables: Mapping[str, str]
    folder: str | None
    log: Path
    pid_file: Path


class ContainerProcess:
    """Started by ``start``; the starter must call ``wait``, which also cleans up."""

    def __init__(self, process: asyncio.subprocess.Process, output: int, command: Command) -> None:
        self._process = process
        self._output = output
        self._command = command

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        """Signal the process and all that it started in its group."""
        if self._process.returncode is None:
            signal_group(self.pid, number)

    async def wait(self, log: LogFile) -> int:
        """Return the exit code (128 + N for signal N) when the process has ended.

        What is left of its group is killed then. If cancelled, ends the process first: SIGTERM,
        soon after SIGKILL.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(_copy(self._output, log))
                code = await self._process.wait()
                signal_group(self.pid, signal.SIGKILL)
                await asyncio.wait([reading], timeout=_DRAIN_SECONDS)
                reading.cancel()
        finally:
            await self._end()
            log.close()
            forget(self._command.pid_file)
        return 128 - code if code < 0 else code

    async def _end(self) -> None:
        if self._process.returncode is None:
            self.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self.signal(signal.SIGKILL)
                await self._process.wait()
        signal_group(self.pid, signal.SIGKILL)


async def start(command: Command) -> ContainerProcess:
    """Start the process. NOT_FOUND if there is no such program, else FAILED_PRECONDITION."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {"PYTHONUNBUFFERED": "1", **command.variables, MARK: command.pid_file.stem}
    program = shutil.which(command.words[0], path=environment.get("PATH"))
    if program is None:
        raise HourglassError(
            Code.NOT_FOUND,
            f'exec: "{command.words[0]}": no such program, or it may not be executed',
            reason="RunContainerError",
            hint="give an absolute path, or a name that is on PATH",
        )
    reads, writes = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *_dies_with_us(),
            program,
            *command.words[1:],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writes,
            stderr=writes,
            env=environment,
            cwd=command.folder,
            start_new_session=True,
        )
    except BaseException as exc:
        os.close(reads)
        if isinstance(exc, OSError | ValueError):
            raise _not_run(command, exc) from exc
        raise
    finally:
        os.close(writes)
    try:
        remember(command.pid_file, process.pid)
    except OSError as exc:
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        os.close(reads)
        raise _not_run(command, exc) from exc
    return ContainerProcess(process, reads, command)


def _not_run(command: Command, cause: Exception) -> HourglassError:
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f'exec: "{command.words[0]}": {cause}',
        reason="RunContainerError",
    )


def _dies_with_us() -> tuple[str, ...]:
    """Return the words before the command that tie its life to ours, where there are any.

    On Linux the kernel does it; elsewhere the files of process ids must do.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


async def _copy(output: int, log: LogFile) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    try:
        while chunk := await reader.read(_CHUNK):
            log.write(chunk)
    finally:
        transport.close()
