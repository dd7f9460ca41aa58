"""Handlers on bytes: parse, call, translate errors, count. One wrapper for every method.

grpc.aio answers bytes that it can not parse with UNKNOWN before any handler runs, so parsing is
done here and a malformed request is INVALID_ARGUMENT.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn
from uuid import uuid4

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger
from prometheus_client import Counter, Histogram

from .guard import Admitted, CallGuard
from .redaction import unquoted
from .request_id import REQUEST_ID_KEY, request_id
from .status import DETAILS_KEY, status_code, to_status

log = get_logger(__name__)

CALLS = Counter(
    "hourglass_grpc_server_handled_total", "Calls answered.", ["service", "method", "code"]
)
SECONDS = Histogram(
    "hourglass_grpc_server_call_seconds",
    "Time from the request to the last answer.",
    ["service", "method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Message]]
Stream = Callable[[Any, Context], AsyncIterator[Message]]


class CallLimit:
    """How many calls may run at once, and how many do.

    Streams are counted apart and not limited here: HTTP/2 bounds them for each connection, and
    their services for the process. The core's own limit (maximum_concurrent_rpcs) lets bursts in.
    """

    def __init__(self, at_most: int) -> None:
        self.at_most = at_most
        self.running = 0
        self.streams = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Return once no call runs, streams left aside."""
        await self._idle.wait()

    def enter(self) -> None:
        if self.running >= self.at_most:
            raise HourglassError(
                Code.RESOURCE_EXHAUSTED,
                f"{self.running} calls are being served, the most allowed",
                reason="TOO_MANY_CALLS",
                retry_after=1.0,
            )
        self.running += 1
        self._idle.clear()

    def leave(self) -> None:
        self.running -= 1
        if self.running == 0:
            self._idle.set()


def bytes_handlers(
    descriptor: ServiceDescriptor,
    servicer: Any,
    limit: CallLimit | None = None,
    guard: CallGuard | None = None,
) -> grpc.GenericRpcHandler:
    """Return the handlers of every method of ``descriptor``.

    ``servicer`` has a method of the same name for each: ``async def Name(request, context)``, or
    an async generator where the answers are streamed. A method it lacks is UNIMPLEMENTED.
    Without a ``guard`` everybody may call all of them.
    """
    limit = limit or CallLimit(1024)
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in descriptor.methods:
        behaviour = getattr(servicer, method.name, None)
        if behaviour is None:
            continue
        request = GetMessageClass(method.input_type)
        call = _Call(descriptor.full_name, method.name, request, behaviour, limit, guard)
        if method.server_streaming:
            handlers[method.name] = grpc.unary_stream_rpc_method_handler(call.stream)
        else:
            handlers[method.name] = grpc.unary_unary_rpc_method_handler(call.unary)
    return grpc.method_handlers_generic_handler(descriptor.full_name, handlers)


@dataclass(slots=True)
class _Call:
    service: str
    method: str
    request: type[Message]
    behaviour: Any
    limit: CallLimit
    guard: CallGuard | None

    async def unary(self, data: bytes, context: Context) -> bytes:
        started = self._begin(context)
        code = "CANCELLED"
        try:
            self.limit.enter()
            try:
                async with self._admitted(data, context, streams=False) as admitted:
                    answer: Message = await self.behaviour(admitted.request, context)
            finally:
                self.limit.leave()
            code = "OK"
            return answer.SerializeToString()
        except Exception as error:
            refusal = self._refusal(error)
            code = refusal.code.value
            return await abort(context, refusal)
        finally:
            self._end(code, started)

    async def stream(self, data: bytes, context: Context) -> None:
        started = self._begin(context)
        code = "CANCELLED"
        self.limit.streams += 1
        try:
            async with self._admitted(data, context, streams=True) as admitted:
                await admitted.while_allowed(self._send(admitted.request, context))
            code = "OK"
        except Exception as error:
            refusal = self._refusal(error)
            code = refusal.code.value
            await abort(context, refusal)
        finally:
            self.limit.streams -= 1
            self._end(code, started)

    async def _send(self, request: Message, context: Context) -> None:
        async with aclosing(self.behaviour(request, context)) as answers:
            async for answer in answers:
                await context.write(answer.SerializeToString())

    def _admitted(
        self, data: bytes, context: Context, *, streams: bool
    ) -> AbstractAsyncContextManager[Admitted]:
        if self.guard is None:
            return nullcontext(Admitted(self._parse(data)))
        method = f"{self.service}/{self.method}"
        return self.guard.admit(method, lambda: self._parse(data), context, streams=streams)

    def _parse(self, data: bytes) -> Message:
        message = self.request()
        try:
            message.ParseFromString(data)
        except DecodeError as exc:
            raise HourglassError(
                Code.INVALID_ARGUMENT,
                f"the request is not a {self.request.DESCRIPTOR.full_name}",
                reason="MALFORMED_REQUEST",
                hint="check that client and server were built from the same .proto files",
            ) from exc
        return message

    def _begin(self, context: Context) -> float:
        given = dict(context.invocation_metadata() or ()).get(REQUEST_ID_KEY, "")
        request_id.set(given[:64] if isinstance(given, str) and given else uuid4().hex)
        return perf_counter()

    def _end(self, code: str, started: float) -> None:
        CALLS.labels(self.service, self.method, code).inc()
        SECONDS.labels(self.service, self.method).observe(perf_counter() - started)

    def _refusal(self, error: Exception) -> HourglassError:
        """Return what the caller is told; a failure of ours is logged, not shown."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if not isinstance(error, HourglassError):
            log.error(
                "call failed unexpectedly",
                method=f"{self.service}/{self.method}",
                request_id=request_id.get(),
                exc_info=error,
            )
            return HourglassError(
                Code.INTERNAL,
                f"unexpected failure; the log tells more under request id {request_id.get()}",
                reason="INTERNAL",
            )
        log.info(
            "call refused",
            method=f"{self.service}/{self.method}",
            code=error.code.value,
            error=unquoted(error),
            request_id=request_id.get(),
        )
        return error


async def abort(context: Context, refusal: HourglassError) -> NoReturn:
    """End the call with ``refusal`` and its details."""
    status = to_status(refusal)
    await context.abort(
        status_code(refusal.code), status.message, ((DETAILS_KEY, status.SerializeToString()),)
    )
