"""A program's life: it runs until it ends, fails, or is asked to stop by a signal."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from hourglass_common.domain.errors import HourglassError

from .logs import get_logger

log = get_logger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run ``work``; SIGINT or SIGTERM cancels it, and a second one ends the process at once.

    Returns when ``work`` has ended or has been stopped; raises what it raised.
    """
    loop = asyncio.get_running_loop()
    stopping = False
    task = asyncio.current_task()
    assert task is not None

    def stop(number: signal.Signals) -> None:
        nonlocal stopping
        if stopping:
            log.warning("stopped twice, ending at once", signal=number.name)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopping = True
        log.info("stopping", signal=number.name)
        task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        await work()
    except asyncio.CancelledError:
        if not stopping:
            raise
        task.uncancel()
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


def run_program(work: Callable[[], Awaitable[None]]) -> int:
    """Run ``work`` in a new loop until it ends or a signal stops it; return the exit code.

    A HourglassError, alone or in a group, is told in one line each on stderr; anything else is
    a bug and keeps its traceback.
    """
    try:
        asyncio.run(until_stopped(work))
    except HourglassError as error:
        _tell(error)
        return EXIT_FAILED
    except BaseExceptionGroup as group:
        known, unknown = group.split(HourglassError)
        if known is None or unknown is not None:
            raise
        for leaf in _leaves(known):
            _tell(leaf)
        return EXIT_FAILED
    return EXIT_OK


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _tell(error: BaseException) -> None:
    sys.stderr.write(f"error: {error}\n")
