"""A server whose calls outlast its grace is stopped, and the process lives on."""

import sys

from tests.support.dev_run import run


async def test_servers_that_are_stopped_under_calls_do_not_take_the_process_along() -> None:
    done = await run(sys.executable, "-m", "tests.support.stops_at_the_grace", "5")
    assert done.status == 0, f"signal {-done.status}: {done.err[-500:]}"
