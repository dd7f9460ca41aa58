"""Two calls for one task that may run twice: the first answer wins, the other is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown
from hourglass_services.performer.client import CallEnd

Call = Coroutine[Any, Any, CallEnd]


async def first_answer(first: Call, delay: float, second: Callable[[], Call | None]) -> CallEnd:
    """Return how ``first`` ended, or the call that ``second`` gives if that answers earlier.

    ``second`` is asked once, when ``first`` has not ended after ``delay`` seconds. An end that is
    no answer does not win while the other call is out. Whatever happens, both have ended when
    this returns.
    """
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(first)]
        try:
            ended, _ = await asyncio.wait(calls, timeout=delay)
            if not ended and (other := second()) is not None:
                calls.append(group.create_task(other))
            return await _answer_of(calls)
        finally:
            for call in calls:
                call.cancel()


async def _answer_of(calls: list[asyncio.Task[CallEnd]]) -> CallEnd:
    out = set(calls)
    ends: list[CallEnd] = []
    while out:
        ended, out = await asyncio.wait(out, return_when=asyncio.FIRST_COMPLETED)
        found = [call.result() for call in calls if call in ended]
        for end in found:
            if _is_answer(end):
                return end
        ends.extend(found)
    # One of which nobody knows whether it ran must not be hidden by one that surely did not.
    return next((end for end in ends if isinstance(end.outcome, OutcomeUnknown)), ends[0])


def _is_answer(end: CallEnd) -> bool:
    match end.outcome:
        case Completed():
            return True
        case Failed(executed=executed):
            return executed
        case OutcomeUnknown():
            return False
