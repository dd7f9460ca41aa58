"""How a program ends."""

import asyncio
import os
import signal

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.supervise import run_program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_work_which_may_still_clean_up(number: signal.Signals) -> None:
    done: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("cleaned up")

    assert run_program(work) == 0
    assert done == ["cleaned up"]


def test_work_that_ends_is_success() -> None:
    async def work() -> None:
        return

    assert run_program(work) == 0


def test_errors_of_ours_are_told_in_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(name: str) -> None:
        raise HourglassError(Code.UNAVAILABLE, f"{name} is away", hint="start it")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("a"))
            group.create_task(fail("b"))

    assert run_program(work) == 1
    assert capsys.readouterr().err == "error: a is away; start it\nerror: b is away; start it\n"


def test_a_bug_keeps_its_traceback() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_program(work)
