"""Keeps a few child processes: starts them, notices the end of one, ends them all in time.

A child has a session of its own, so that a terminal's Ctrl-C reaches this process only, and a
pipe for its stdin that it reads to the end. The first line lets it begin; when this process is
gone, however it ended, the pipe is at its end and the child leaves.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from hourglass_common.domain.errors import Code, HourglassError

TAIL_LINES = 12
_TAIL_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child to be: ``arguments`` follow the Python interpreter.

    One more is added: the descriptor on which the child says that it is Ready.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path


@dataclass(slots=True)
class Child:
    """A started one."""

    program: Program
    process: asyncio.subprocess.Process
    ready: asyncio.StreamReader
    descendants: list[psutil.Process] = field(default_factory=list)

    @property
    def running(self) -> bool:
        return self.process.returncode is None


class Supervisor:
    """Owns the children: whoever calls ``start`` also calls ``stop``."""

    def __init__(self, monotonic: Callable[[], float], inherited: Sequence[int] = ()) -> None:
        self._monotonic = monotonic
        self._inherited = tuple(inherited)
        self._children: list[Child] = []

    async def start(self, program: Program) -> None:
        """Start ``program``; what it prints goes to its log, the one before is kept as .1."""
        program.log.parent.mkdir(parents=True, exist_ok=True)
        if program.log.exists():
            program.log.replace(program.log.with_suffix(".log.1"))
        reading, writing = os.pipe()
        with program.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *program.arguments,
                str(writing),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(*self._inherited, writing),
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        os.close(writing)
        ready = asyncio.StreamReader()
        self._children.append(Child(program, process, ready))
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(ready), os.fdopen(reading, "rb")
        )

    def go(self, name: str) -> None:
        """Let the child ``name`` begin; it has been importing its modules until now."""
        stdin = self._child(name).process.stdin
        assert stdin is not None
        stdin.write(b"go\n")

    async def ready(self, name: str) -> None:
        """Return when the child ``name`` says that it is Ready; never if it ends before."""
        if not await self._child(name).ready.readline():
            await asyncio.Event().wait()  # it is gone: ``watch`` tells how

    def _child(self, name: str) -> Child:
        return next(child for child in self._children if child.program.name == name)

    async def watch(self) -> None:
        """Raise UNAVAILABLE as soon as a child has ended; it should not."""

        async def until_ended(child: Child) -> None:
            raise ended(child.program, await child.process.wait())

        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(until_ended(child))

    async def stop(self, *, gently_seconds: float, at_most_seconds: float) -> None:
        """End all children: the last started first asked to, then what is left is killed.

        The first one started, on which the others rest, is asked once they are gone or
        ``gently_seconds`` are over. After ``at_most_seconds`` nothing is alive, descendants of
        the children included.
        """
        kill_at = self._monotonic() + at_most_seconds
        for child in self._children:
            child.descendants = _descendants(child)
        first, rest = self._children[:1], self._children[1:]
        try:
            await self._ask(rest, self._monotonic() + gently_seconds)
            await self._ask([*first, *rest], kill_at)
        finally:
            for child in self._children:
                _kill(child)
            for child in self._children:
                await child.process.wait()

    async def _ask(self, children: Sequence[Child], until: float) -> None:
        for child in children:
            if child.running:
                child.process.terminate()
        try:
            async with asyncio.timeout(max(0.0, until - self._monotonic())):
                for child in children:
                    await child.process.wait()
        except TimeoutError:
            return  # the caller goes on without them


def _descendants(child: Child) -> list[psutil.Process]:
    try:
        return psutil.Process(child.process.pid).children(recursive=True)
    except psutil.Error:
        return []


def _kill(child: Child) -> None:
    """Kill what is left of ``child`` and of everything that it started."""
    left = [*child.descendants, *(_descendants(child) if child.running else ())]
    if child.running:
        child.process.kill()
    for process in left:
        try:
            if process.is_running():  # compares the start time too: never another's process
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def ended(program: Program, status: int) -> HourglassError:
    """Return the error for a child that left by itself, with the end of its log."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    lines = tail(program.log)
    text = "".join(f"\n  | {line}" for line in lines) or "\n  | (it printed nothing)"
    return HourglassError(
        Code.UNAVAILABLE,
        f"the {program.name} {how}; the end of its log:{text}",
        reason="CHILD_ENDED",
        hint=f"the whole log is {program.log}",
    )


def tail(log: Path, lines: int = TAIL_LINES) -> tuple[str, ...]:
    """Return the last lines of a log, each cut to 400 characters; none if there is no file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(line[:400] for line in text.splitlines()[-lines:])
