"""A question that many ask at once is asked once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shared(Generic[Key, Value]):
    """Who asks for a key that is being asked for gets that answer, or that failure."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Future[Value]] = {}

    async def ask(self, key: Key, question: Callable[[], Awaitable[Value]]) -> Value:
        """Return the answer; where the one who asked was cancelled, the next one asks."""
        while (running := self._running.get(key)) is not None:
            await asyncio.wait((running,))  # a waiter that is cancelled cancels nobody else
            if not running.cancelled():
                return running.result()
        mine: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._running[key] = mine
        try:
            answer = await question()
        except BaseException as error:
            if isinstance(error, Exception):
                mine.set_exception(error)
                mine.exception()  # nobody has to be waiting
            else:
                mine.cancel()
            raise
        else:
            mine.set_result(answer)
            return answer
        finally:
            del self._running[key]
