"""Calls that are to be refused."""

from collections.abc import Awaitable

from hourglass_common.domain.errors import HourglassError


async def refused(call: Awaitable[object]) -> HourglassError:
    """Return the error of a call; AssertionError if it has none."""
    try:
        answer = await call
    except HourglassError as error:
        return error
    raise AssertionError(f"not refused: {answer}")
