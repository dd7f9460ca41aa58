"""A loop in a thread of its own, for what lives through many tests with loops of their own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 120.0


class LoopThread:
    """Not for gRPC, which wants one loop at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stack = AsyncExitStack()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        """Enter ``manager`` until the thread ends; it must not need one task for both its ends."""
        return self.run(self._stack.enter_async_context(manager))

    def close(self) -> None:
        self.run(self._stack.aclose())


@contextmanager
def loop_thread() -> Iterator[LoopThread]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop-of-the-session")
    thread.start()
    found = LoopThread(loop)
    try:
        yield found
    finally:
        try:
            found.close()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
