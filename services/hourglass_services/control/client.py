"""A client of PerformerControl: the port's methods, over a channel."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import grpc
import grpc.aio
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_services.rpc.status import from_rpc_error

from .codec import event_from_proto, performer_from_proto, spec_of_request
from .port import Creation, EventKind, Filter, PerformerPage, PerformerView, WatchEvent

log = get_logger(__name__)
T = TypeVar("T")

_FINAL = (Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED, Code.PERMISSION_DENIED, Code.UNAUTHENTICATED)


class PerformerControlClient:
    """Implements ``PerformerControlPort``; every unary call ends within ``timeout_seconds``."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        timeout_seconds: float = 10.0,
        rng: random.Random | None = None,
    ) -> None:
        self._stub: Any = control_pb2_grpc.PerformerControlStub(channel)
        self._timeout = timeout_seconds
        self._rng = rng or random.Random()  # noqa: S311  jitter, not a secret
        self._backoff = Backoff(minimum=0.2, maximum=10.0)

    async def create(self, creation: Creation) -> PerformerView:
        answer = await self._call(
            self._stub.CreatePerformer,
            control_pb2.CreatePerformerRequest(
                namespace=creation.namespace,
                name=creation.name,
                spec=spec_of_request(creation.spec),
                labels=creation.labels,
                request_id=creation.request_id,
                validate_only=creation.validate_only,
            ),
        )
        return performer_from_proto(answer.performer)

    async def get(self, namespace: str, name: str) -> PerformerView:
        request = control_pb2.GetPerformerRequest(namespace=namespace, name=name)
        answer = await self._call(self._stub.GetPerformer, request)
        return performer_from_proto(answer.performer)

    async def list(self, wanted: Filter, page_size: int = 0, page_token: str = "") -> PerformerPage:
        request = control_pb2.ListPerformersRequest(
            namespace=wanted.namespace,
            avs_address=wanted.avs,
            page_size=page_size,
            page_token=page_token,
        )
        answer = await self._call(self._stub.ListPerformers, request)
        views = tuple(performer_from_proto(message) for message in answer.performers)
        return PerformerPage(views, answer.next_page_token)

    async def delete(self, namespace: str, name: str, etag: str = "", uid: str = "") -> None:
        request = control_pb2.DeletePerformerRequest(
            namespace=namespace, name=name, etag=etag, uid=uid
        )
        await self._call(self._stub.DeletePerformer, request)

    async def watch(self, wanted: Filter, resume_token: str = "") -> AsyncIterator[WatchEvent]:
        """Yield events for ever: a broken stream is resumed where it broke, with back-off.

        What can not be resumed begins again, with RESYNC. Raises only what trying again can not
        mend, such as INVALID_ARGUMENT.
        """
        attempt = 0
        shown = False
        while True:
            if shown and not resume_token:  # cut off inside its first snapshot
                shown = False
                yield WatchEvent(EventKind.RESYNC, None, "")
            request = control_pb2.WatchPerformersRequest(
                namespace=wanted.namespace,
                name=wanted.name,
                avs_address=wanted.avs,
                resume_token=resume_token,
            )
            call = self._stub.WatchPerformers(request)
            try:
                async for message in call:
                    attempt = 0
                    event = event_from_proto(message)
                    resume_token = message.resume_token or resume_token
                    if event is not None and event.kind is not EventKind.BOOKMARK:
                        shown = True
                        yield event
            except grpc.aio.AioRpcError as exc:
                error = from_rpc_error(exc)
                if error.code in _FINAL:
                    raise error from exc
                log.warning("performer watch interrupted", code=error.code.value)
            finally:
                call.cancel()
            attempt += 1
            await asyncio.sleep(self._backoff.delay(attempt, self._rng.random()))

    async def _call(self, method: Any, request: Any) -> Any:
        call: Awaitable[Any] = method(request, timeout=self._timeout)
        try:
            return await call
        except grpc.aio.AioRpcError as exc:
            raise from_rpc_error(exc) from exc


__all__ = ["HourglassError", "PerformerControlClient"]
