"""PerformerControl in this process: a channel that leads to a servicer, without a socket.

The client is the same as over the network, and so are the checks of requests and the form of
answers: a command prints the same whichever way it asks.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from typing import Any

from hourglass_common.domain.errors import Code, HourglassError

Read = Callable[[bytes], Any]


class InProcessChannel:
    """As much of ``grpc.aio.Channel`` as a generated stub uses.

    Answers go through bytes, as over a network: some are nothing else.
    """

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def unary_unary(
        self, path: str, *_: Any, response_deserializer: Read, **__: Any
    ) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._servicer, path.rpartition("/")[2])

        async def call(request: Any, *, timeout: float | None = None, **_: Any) -> Any:
            with _as_from_afar(timeout):
                async with asyncio.timeout(timeout):
                    answer = await method(request, None)
                    return response_deserializer(answer.SerializeToString())

        return call

    def unary_stream(
        self, path: str, *_: Any, response_deserializer: Read, **__: Any
    ) -> "Callable[..., _Answers]":
        method = getattr(self._servicer, path.rpartition("/")[2])

        def call(request: Any, **_: Any) -> _Answers:
            return _Answers(method(request, None), response_deserializer)

        return call


class _Answers:
    """A stream of answers, to be read once."""

    def __init__(self, answers: AsyncIterator[Any], read: "Read") -> None:
        self._answers = answers
        self._read = read

    async def __aiter__(self) -> AsyncIterator[Any]:
        with _as_from_afar(None):
            async for answer in self._answers:
                yield self._read(answer.SerializeToString())

    def cancel(self) -> None:
        """Nothing is kept open for it: the answers end with their reader."""


@contextmanager
def _as_from_afar(timeout: float | None) -> Any:
    """Raise errors in the form that they have after a journey: the hint is in the message."""
    try:
        yield
    except TimeoutError as exc:
        raise HourglassError(
            Code.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s", reason="DEADLINE"
        ) from exc
    except HourglassError as error:
        raise HourglassError(
            error.code,
            str(error),
            reason=error.reason,
            violations=error.violations,
            metadata=error.metadata,
            retry_after=error.retry_after,
        ) from error
