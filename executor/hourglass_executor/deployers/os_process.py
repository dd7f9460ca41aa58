"""One process of this machine: started in a group of its own, found again, stopped, reaped."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from hourglass_common.domain.errors import Code, HourglassError

MARKER = "HOURGLASS_INSTANCE_ID"
"""Environment variable by which an instance is found again when its pid was not stored."""

_LOOK_EVERY_SECONDS = 0.1
_SAME_START_SECONDS = 1.0


@dataclass(slots=True)
class OsProcess:
    """``started_at`` (seconds since the epoch) tells it from a later process with its pid."""

    pid: int
    started_at: float
    port: int
    child: subprocess.Popen[bytes] | None = None

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.pid, "startedAt": self.started_at, "port": self.port}

    def runs(self) -> bool:
        if self.child is not None:
            return self.child.poll() is None
        found = _alive(self.pid)
        return found is not None and abs(found.create_time() - self.started_at) < (
            _SAME_START_SECONDS
        )

    async def exited(self) -> None:
        """Return when it does not run any more. Adopted ones are nobody's children here, so
        their end can only be looked for."""
        while self.runs():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def stop(self, grace_seconds: float) -> None:
        """End it and all of its group: SIGTERM, and SIGKILL after the grace."""
        for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
            self._signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.exited()

    def leave(self) -> None:
        """Let it outlive this program."""
        if self.child is not None and self.child.poll() is None:
            self.child.returncode = 0  # else subprocess warns that nobody waits for it

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path, port: int
) -> OsProcess:
    """Start ``command`` with its output going to ``log``: to a file, and not through us, so that
    it neither blocks nor dies when the executor does.

    FAILED_PRECONDITION if it can not be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(  # noqa: S603  the command is the configuration's
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except OSError as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"the command {command[0]!r} can not be started: {exc.strerror}",
            reason="COMMAND_FAILED",
            hint="check processes.commands in the configuration",
        ) from exc
    finally:
        os.close(output)
    found = _alive(child.pid)
    return OsProcess(child.pid, found.create_time() if found else 0.0, port, child)


def find_again(note: Mapping[str, Any] | None, instance_id: str) -> OsProcess | None:
    """Return the process of ``note``, or else the one that carries ``instance_id``."""
    if note is not None:
        known = OsProcess(int(note["pid"]), float(note["startedAt"]), int(note["port"]))
        if known.runs():
            return known
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(MARKER) == instance_id and os.getpgid(process.pid) == process.pid:
                port = int(environment["GRPC_PORT"])
                return OsProcess(process.pid, process.create_time(), port)
        except (psutil.Error, OSError, KeyError, ValueError):
            continue
    return None


def _alive(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def trim(log: Path, limit: int) -> None:
    """Cut a log that outgrew ``limit`` bytes: its last quarter is kept in ``<log>.1``."""
    try:
        size = log.stat().st_size
        if size <= limit:
            return
        with log.open("rb+") as file:
            file.seek(size - limit // 4)
            kept = file.read(limit // 4)
            file.truncate(0)  # its writer appends, so that it goes on at the new end
        old = log.with_name(log.name + ".1")
        old.touch(mode=0o600)
        old.write_bytes(kept)
    except OSError:
        return  # gone, or the disk fails: the log is not worth more
