"""What a killed dev cluster left running: found by files of process ids, and ended."""

import os
import signal
from pathlib import Path

import orjson
import psutil

_SAME_START_SECONDS = 0.05
_GENTLE_SECONDS = 1.0


def remember(file: Path, pid: int) -> None:
    """Write down that process ``pid``, which leads a group of its own, runs."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:
        return  # it has ended already
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps({"pid": pid, "started": started}))


def forget(file: Path) -> None:
    file.unlink(missing_ok=True)


def end_orphans(folder: Path) -> int:
    """End every process remembered in ``folder`` that still runs; return how many did.

    Takes up to about a second: SIGTERM, then SIGKILL to the whole group. A process that only has
    the number of one remembered (another start time) is left alone.
    """
    left: list[psutil.Process] = []
    for file in folder.glob("*.json"):
        process = _remembered(file)
        if process is not None:
            left.append(process)
            signal_group(process.pid, signal.SIGTERM)
    psutil.wait_procs(left, timeout=_GENTLE_SECONDS)
    for process in left:
        signal_group(process.pid, signal.SIGKILL)
    psutil.wait_procs(left, timeout=_GENTLE_SECONDS)
    for file in folder.glob("*.json"):
        forget(file)
    return len(left)


def signal_group(pid: int, number: int) -> None:
    """Signal the process group that ``pid`` leads; nothing happens if it is gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # PermissionError: on macOS what is left of the group are zombies


def _remembered(file: Path) -> psutil.Process | None:
    try:
        noted = orjson.loads(file.read_bytes())
        process = psutil.Process(int(noted["pid"]))
        if abs(process.create_time() - float(noted["started"])) <= _SAME_START_SECONDS:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return None
