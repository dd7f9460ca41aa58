"""The supervisor with real processes."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from hourglass_cli.dev.run import first_of
from hourglass_cli.dev.supervisor import Program, Supervisor
from hourglass_cli.failures import first_of_ours
from hourglass_common.domain.errors import HourglassError

READY = "import os, sys; os.write(int(sys.argv[1]), b'ready\\n')\n"
WAIT_FOR_GO = "sys.stdin.readline()\n"
FOREVER = "import time\nwhile True: time.sleep(60)\n"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
PARENT = (
    "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time, signal; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'], start_new_session=True)\n"
    "print(child.pid)\n"
)


def program(tmp_path: Path, code: str, name: str = "part") -> Program:
    return Program(name=name, arguments=("-c", code), log=tmp_path / f"{name}.log")


@asynccontextmanager
async def supervisor(at_most: float = 2.0) -> AsyncIterator[Supervisor]:
    kept = Supervisor(time.monotonic)
    try:
        yield kept
    finally:
        await kept.stop(gently_seconds=at_most / 2, at_most_seconds=at_most)


def alive(pid: int) -> bool:
    """Return whether the process runs; a zombie is dead, and for its parent to collect."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_child_waits_for_go_and_then_says_that_it_is_ready(tmp_path: Path) -> None:
    async with supervisor() as kept:
        await kept.start(program(tmp_path, "import sys\n" + WAIT_FOR_GO + READY + FOREVER))
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            ready = group.create_task(kept.ready("part"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ready), 0.3)
            kept.go("part")


async def test_a_dead_child_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; [print('line', n) for n in range(50)]; sys.exit('out of luck')"
    error: HourglassError | None = None
    async with supervisor() as kept:
        await kept.start(program(tmp_path, code))
        try:
            await first_of(kept.watch(), kept.ready("part"))
        except ExceptionGroup as group:
            error = first_of_ours(group)
    assert error is not None
    message = error.message
    assert "the part ended with status 1" in message
    assert "| line 49" in message
    assert "| out of luck" in message
    assert "line 10\n" not in message
    assert str(tmp_path / "part.log") in error.hint


async def test_a_deaf_child_and_its_own_children_are_gone_in_time(tmp_path: Path) -> None:
    started = 0.0
    async with supervisor(at_most=1.0) as kept:
        await kept.start(program(tmp_path, "import sys\n" + DEAF + PARENT + READY + FOREVER))
        async with asyncio.timeout(20):
            await kept.ready("part")
        grandchild = int((tmp_path / "part.log").read_text())
        assert psutil.pid_exists(grandchild)
        started = time.monotonic()
    assert time.monotonic() - started < 1.5
    async with asyncio.timeout(10):
        while alive(grandchild):
            await asyncio.sleep(0.01)


async def test_the_first_child_is_asked_to_stop_after_the_others(tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import os, signal, sys\n"
        "def stop(*_):\n"
        "    with open({order!r}, 'a') as file: file.write({name!r} + '\\n')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
    )
    async with supervisor() as kept:
        for name in ("first", "second"):
            start = code.format(order=str(order), name=name)
            await kept.start(program(tmp_path, start + READY + FOREVER, name))
            async with asyncio.timeout(20):
                await kept.ready(name)
    assert order.read_text().split() == ["second", "first"]


async def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    for text in ("before", "now"):
        async with supervisor() as kept:
            await kept.start(program(tmp_path, f"print('{text}')\n" + "import sys\n" + READY))
            async with asyncio.timeout(20):
                await kept.ready("part")
    assert (tmp_path / "part.log").read_text() == "now\n"
    assert (tmp_path / "part.log.1").read_text() == "before\n"


async def test_a_child_sees_the_end_of_its_stdin_when_the_supervisor_is_killed(
    tmp_path: Path,
) -> None:
    code = (
        "import asyncio, os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from hourglass_cli.dev.supervisor import Program, Supervisor\n"
        "async def main():\n"
        "    kept = Supervisor(time.monotonic)\n"
        "    part = f'import sys; sys.stdin.read(); open({sys.argv[1]!r}, chr(119)).close()'\n"
        "    log = Path(sys.argv[1] + '.log')\n"
        "    await kept.start(Program(name='part', arguments=('-c', part), log=log))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    seen = tmp_path / "seen"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(seen))
    assert await process.wait() == -9
    async with asyncio.timeout(20):
        while not seen.exists():
            await asyncio.sleep(0.02)
