"""A client of PerformerControl: the port's methods, over a channel."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from eigenlayer.hourglass.control.v1 import control_pb2, control_pb2_grpc
from google.protobuf.field_mask_pb2 import FieldMask
from hourglass_common.domain.backoff import Backoff
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.runtime.logs import get_logger

from hourglass_services.rpc.status import from_rpc_error

from .codec import (
    event_from_proto,
    explanation_from_proto,
    line_from_proto,
    performer_from_proto,
    revision_from_proto,
    spec_of_request,
)
from .mask import path_text
from .port import (
    Act,
    Aim,
    Creation,
    Drained,
    EventKind,
    Explanation,
    Filter,
    LogLine,
    LogQuery,
    Masked,
    PerformerPage,
    PerformerView,
    RevisionView,
    WatchEvent,
)

log = get_logger(__name__)
T = TypeVar("T")

_FINAL = (Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED, Code.PERMISSION_DENIED, Code.UNAUTHENTICATED)
_ACTS = {act: getattr(control_pb2, f"{act.value}PerformerRequest") for act in Act}


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

    async def list(
        self, wanted: Filter, page_size: int = 0, page_token: str = "", expression: str = ""
    ) -> PerformerPage:
        request = control_pb2.ListPerformersRequest(
            namespace=wanted.namespace,
            avs_address=wanted.avs,
            page_size=page_size,
            page_token=page_token,
            filter=expression,
        )
        answer = await self._call(self._stub.ListPerformers, request)
        views = tuple(performer_from_proto(message) for message in answer.performers)
        return PerformerPage(views, answer.next_page_token)

    async def update(self, aim: Aim, masked: Masked) -> PerformerView:
        request = control_pb2.UpdatePerformerRequest(
            performer=control_pb2.Performer(
                labels=(masked.manifest.get("metadata") or {}).get("labels") or {},
                spec=spec_of_request(masked.manifest.get("spec") or {}),
            ),
            update_mask=FieldMask(paths=map(path_text, masked.paths)),
            **_aimed(aim),
        )
        answer = await self._call(self._stub.UpdatePerformer, request)
        return performer_from_proto(answer.performer)

    async def scale(self, aim: Aim, replicas: int) -> PerformerView:
        request = control_pb2.ScalePerformerRequest(replicas=replicas, **_aimed(aim))
        answer = await self._call(self._stub.ScalePerformer, request)
        return performer_from_proto(answer.performer)

    async def act(self, act: Act, aim: Aim, revision: str = "") -> PerformerView:
        request: Any = _ACTS[act](**_aimed(aim), **({"revision": revision} if revision else {}))
        answer = await self._call(getattr(self._stub, f"{act.value}Performer"), request)
        return performer_from_proto(answer.performer)

    async def drain(self, aim: Aim, timeout_seconds: float | None = None) -> Drained:
        """Waits ``timeout_seconds``, not the client's own limit, where they are given."""
        request = control_pb2.DrainPerformerRequest(**_aimed(aim))
        answer = await self._call(self._stub.DrainPerformer, request, timeout_seconds)
        return Drained(performer_from_proto(answer.performer), answer.in_flight, answer.lost)

    async def delete(
        self,
        aim: Aim,
        uid: str = "",
        *,
        force: bool = False,
        timeout_seconds: float | None = None,
    ) -> None:
        request = control_pb2.DeletePerformerRequest(
            namespace=aim.namespace,
            name=aim.name,
            etag=aim.etag,
            validate_only=aim.validate_only,
            uid=uid,
            force=force,
        )
        await self._call(self._stub.DeletePerformer, request, timeout_seconds)

    async def explain(self, namespace: str, name: str, revision: str = "") -> Explanation:
        request = control_pb2.ExplainPerformerRequest(
            namespace=namespace, name=name, revision=revision
        )
        return explanation_from_proto(await self._call(self._stub.ExplainPerformer, request))

    async def list_revisions(self, namespace: str, name: str) -> tuple[RevisionView, ...]:
        request = control_pb2.ListRevisionsRequest(namespace=namespace, name=name)
        answer = await self._call(self._stub.ListRevisions, request)
        performer_id = f"{namespace}/{name}"
        return tuple(revision_from_proto(performer_id, each) for each in answer.revisions)

    async def logs(self, query: LogQuery) -> AsyncIterator[LogLine]:
        request = control_pb2.GetLogsRequest(
            namespace=query.namespace,
            name=query.name,
            revision=query.revision,
            instance=query.instance,
            follow=query.follow,
            tail_lines=query.tail_lines,
            previous=query.previous,
        )
        if query.since_seconds is not None:
            request.since.FromNanoseconds(int(query.since_seconds * 1e9))
        call = self._stub.GetLogs(request)
        try:
            async for message in call:
                yield line_from_proto(message)
        except grpc.aio.AioRpcError as exc:
            raise from_rpc_error(exc) from exc
        finally:
            call.cancel()

    async def report_drain(
        self,
        namespace: str,
        name: str,
        uid: str,
        executor: str,
        reports: Sequence[DrainReport],
    ) -> None:
        """The time that passes between ``renewed_at`` and ``valid_until`` is what is sent: the
        server counts it from its own clock."""
        request = control_pb2.ReportDrainRequest(
            namespace=namespace,
            name=name,
            uid=uid,
            executor=executor,
            reports=[
                control_pb2.DrainReport(
                    revision=each.revision,
                    in_flight=each.in_flight,
                    lost=each.lost,
                    instances=each.instances,
                )
                for each in reports
            ],
        )
        if reports:
            request.valid_for.FromTimedelta(
                max(each.valid_until - each.renewed_at for each in reports)
            )
        await self._call(self._stub.ReportDrain, request)

    async def watch(self, wanted: Filter, resume_token: str = "") -> AsyncIterator[WatchEvent]:
        """Yield events for ever: a broken stream is resumed where it broke, with back-off.

        What can not be resumed begins again, with RESYNC: what is not named from there to
        SNAPSHOT_DONE is gone, and whoever keeps what was told has to notice. Raises only what
        trying again can not mend, such as INVALID_ARGUMENT.
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
                if attempt == 0:  # the tries after it that fail as well are no news
                    log.warning("performer watch interrupted", code=error.code.value)
            finally:
                call.cancel()
            attempt += 1
            await asyncio.sleep(self._backoff.delay(attempt, self._rng.random()))

    async def _call(self, method: Any, request: Any, timeout_seconds: float | None = None) -> Any:
        call: Awaitable[Any] = method(request, timeout=timeout_seconds or self._timeout)
        try:
            return await call
        except grpc.aio.AioRpcError as exc:
            raise from_rpc_error(exc) from exc


def _aimed(aim: Aim) -> dict[str, Any]:
    return {
        "namespace": aim.namespace,
        "name": aim.name,
        "etag": aim.etag,
        "request_id": aim.request_id,
        "validate_only": aim.validate_only,
    }


__all__ = ["HourglassError", "PerformerControlClient"]
