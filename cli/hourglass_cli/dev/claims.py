"""What a run claims before it starts anything: its data directory and its ports."""

import asyncio
import fcntl
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict

import psutil
from hourglass_common.domain.errors import Code, HourglassError

from .options import HOST, Layout, Ports

_TRY_EVERY_SECONDS = 0.05
_LEFTOVER_SECONDS = 5.0


@asynccontextmanager
async def data_directory(layout: Layout, *, fresh: bool) -> AsyncIterator[int]:
    """Make the data directory, hold it for this run alone, and empty it if ``fresh``.

    Yields the lock's file descriptor: children inherit it, so that the directory stays claimed
    until the last of them is gone, even if this process is killed. FAILED_PRECONDITION if
    another run holds it.
    """
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise HourglassError(
            Code.FAILED_PRECONDITION,
            f"the data directory {layout.root} can not be used: {exc.strerror}",
            hint="name another one with --data-dir",
        ) from exc
    try:
        await _hold(lock, layout)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        layout.addresses.unlink(missing_ok=True)  # of a run that could not tidy up
        if fresh:
            _remove_state(layout)
        yield lock
    finally:
        os.close(lock)


async def _hold(lock: int, layout: Layout) -> None:
    """Lock the file. The last children of a killed run get the time they need to leave."""
    try:
        async with asyncio.timeout(_LEFTOVER_SECONDS):
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
                    if pid.isdecimal() and psutil.pid_exists(int(pid)):
                        raise _in_use(layout, f" (process {pid})") from None
                    await asyncio.sleep(_TRY_EVERY_SECONDS)
    except TimeoutError as exc:
        raise _in_use(layout, "") from exc


def _in_use(layout: Layout, who: str) -> HourglassError:
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"another `hourglass dev`{who} is running on the data directory {layout.root}",
        hint="stop that one, or give this one its own with --data-dir (and other ports)",
    )


def _remove_state(layout: Layout) -> None:
    for path in layout.state:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def claim_ports(ports: Ports) -> Ports:
    """Return ``ports`` with a free one in each place of a 0.

    FAILED_PRECONDITION names the flag of the first that is taken, or given twice.
    """
    found: dict[str, int] = {}
    with ExitStack() as held:
        for name, port in asdict(ports).items():
            if port and port in found.values():
                raise _taken(name, port, "two flags give the same port")
            listener = held.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
                listener.listen()
            except OSError as exc:
                raise _taken(name, port, exc.strerror or str(exc)) from exc
            found[name] = listener.getsockname()[1]
    return Ports(**found)


def _taken(name: str, port: int, why: str) -> HourglassError:
    flag = "--" + name.replace("_", "-")
    return HourglassError(
        Code.FAILED_PRECONDITION,
        f"port {port} can not be used: {why}",
        hint=f"choose another one with {flag} (0 takes any free port)",
    )
