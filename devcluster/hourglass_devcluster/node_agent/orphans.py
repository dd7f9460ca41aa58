"""What a killed dev cluster left running: found by files of process ids, and ended."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import orjson
import psutil

MARK = "HOURGLASS_DEV_POD"
"""The variable by which what a container started is known, once the container is gone."""
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

    Takes up to about two seconds: SIGTERM, then SIGKILL to the whole group, and to what a
    container that is gone has left in its own. A process that only has the number of one
    remembered (another start time) is left alone.
    """
    files = tuple(folder.glob("*.json"))
    leaders = [found for file in files if (found := _remembered(file)) is not None]
    for process in leaders:
        signal_group(process.pid, signal.SIGTERM)
    psutil.wait_procs(leaders, timeout=_GENTLE_SECONDS)
    for process in leaders:
        signal_group(process.pid, signal.SIGKILL)
    rest = _marked({file.stem for file in files}) if files else []
    for process in rest:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs([*leaders, *rest], timeout=_GENTLE_SECONDS)
    for file in files:
        forget(file)
    return len(leaders) + len(rest)


def signal_group(pid: int, number: int) -> None:
    """Signal the process group that ``pid`` leads; nothing happens if it is gone."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # PermissionError: on macOS what is left of the group are zombies


def _marked(pods: set[str]) -> list[psutil.Process]:
    """Return the processes that were started by containers of these pods."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) in pods and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # another user's, or gone meanwhile
    return found


def _remembered(file: Path) -> psutil.Process | None:
    try:
        noted = orjson.loads(file.read_bytes())
        process = psutil.Process(int(noted["pid"]))
        if abs(process.create_time() - float(noted["started"])) <= _SAME_START_SECONDS:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
    return None
