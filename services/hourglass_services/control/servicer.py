"""PerformerControl over gRPC: validate, translate, call the port."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_common.domain.clock import Clock
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import Code, HourglassError, invalid
from hourglass_common.runtime.system_clock import SystemClock

from hourglass_services.rpc.validation import validate

from .codec import (
    explanation_to_proto,
    line_to_proto,
    performer_to_proto,
    revision_to_proto,
    spec_to_json,
)
from .encoding import Encoded, get_answer, list_answer, watch_answer
from .mask import read_paths, update_paths
from .port import Act, Aim, Creation, Filter, LogQuery, Masked, PerformerControlPort

DEFAULT_NAMESPACE = "default"
DEFAULT_PAGE_SIZE = 500
DEFAULT_VALID_SECONDS = 30.0
PERFORMER_CONTROL = control_pb2.DESCRIPTOR.services_by_name["PerformerControl"]


class PerformerControlServicer:
    """Methods are named as in the .proto; see there for what they promise."""

    def __init__(self, port: PerformerControlPort, clock: Clock | None = None) -> None:
        self._port = port
        self._clock = clock or SystemClock()

    async def CreatePerformer(
        self, request: control_pb2.CreatePerformerRequest, _: Any
    ) -> control_pb2.CreatePerformerResponse:
        validate(request)
        view = await self._port.create(
            Creation(
                namespace=request.namespace or DEFAULT_NAMESPACE,
                name=request.name,
                spec=spec_to_json(request.spec),
                labels=dict(request.labels),
                request_id=request.request_id,
                validate_only=request.validate_only,
            )
        )
        return control_pb2.CreatePerformerResponse(performer=performer_to_proto(view))

    async def GetPerformer(self, request: control_pb2.GetPerformerRequest, _: Any) -> Encoded:
        validate(request)
        wanted = read_paths(request.read_mask.paths)
        view = await self._port.get(request.namespace or DEFAULT_NAMESPACE, request.name)
        return get_answer(view, wanted)

    async def ListPerformers(self, request: control_pb2.ListPerformersRequest, _: Any) -> Encoded:
        validate(request)
        wanted = read_paths(request.read_mask.paths)
        page = await self._port.list(
            Filter(namespace=request.namespace, avs=request.avs_address),
            request.page_size or DEFAULT_PAGE_SIZE,
            request.page_token,
            request.filter,
        )
        return list_answer(page, wanted)

    async def UpdatePerformer(
        self, request: control_pb2.UpdatePerformerRequest, _: Any
    ) -> control_pb2.UpdatePerformerResponse:
        validate(request)
        masked = Masked(_written(request), update_paths(request.update_mask.paths))
        view = await self._port.update(_aim(request), masked)
        return control_pb2.UpdatePerformerResponse(performer=performer_to_proto(view))

    async def DeletePerformer(
        self, request: control_pb2.DeletePerformerRequest, _: Any
    ) -> control_pb2.DeletePerformerResponse:
        validate(request)
        try:
            await self._port.delete(_aim(request), request.uid, force=request.force)
        except HourglassError as error:
            if not (request.allow_missing and error.code is Code.NOT_FOUND):
                raise
        return control_pb2.DeletePerformerResponse()

    async def ScalePerformer(
        self, request: control_pb2.ScalePerformerRequest, _: Any
    ) -> control_pb2.ScalePerformerResponse:
        validate(request)
        view = await self._port.scale(_aim(request), request.replicas)
        return control_pb2.ScalePerformerResponse(performer=performer_to_proto(view))

    async def PromotePerformer(
        self, request: control_pb2.PromotePerformerRequest, _: Any
    ) -> control_pb2.PromotePerformerResponse:
        performer = await self._act(Act.PROMOTE, request, request.revision)
        return control_pb2.PromotePerformerResponse(performer=performer)

    async def AbortPerformer(
        self, request: control_pb2.AbortPerformerRequest, _: Any
    ) -> control_pb2.AbortPerformerResponse:
        performer = await self._act(Act.ABORT, request, request.revision)
        return control_pb2.AbortPerformerResponse(performer=performer)

    async def RollbackPerformer(
        self, request: control_pb2.RollbackPerformerRequest, _: Any
    ) -> control_pb2.RollbackPerformerResponse:
        performer = await self._act(Act.ROLLBACK, request, request.revision)
        return control_pb2.RollbackPerformerResponse(performer=performer)

    async def DrainPerformer(
        self, request: control_pb2.DrainPerformerRequest, _: Any
    ) -> control_pb2.DrainPerformerResponse:
        validate(request)
        found = await self._port.drain(_aim(request))
        return control_pb2.DrainPerformerResponse(
            performer=performer_to_proto(found.performer),
            in_flight=found.in_flight,
            lost=found.lost,
        )

    async def FencePerformer(
        self, request: control_pb2.FencePerformerRequest, _: Any
    ) -> control_pb2.FencePerformerResponse:
        performer = await self._act(Act.FENCE, request)
        return control_pb2.FencePerformerResponse(performer=performer)

    async def UnfencePerformer(
        self, request: control_pb2.UnfencePerformerRequest, _: Any
    ) -> control_pb2.UnfencePerformerResponse:
        performer = await self._act(Act.UNFENCE, request)
        return control_pb2.UnfencePerformerResponse(performer=performer)

    async def SuspendPerformer(
        self, request: control_pb2.SuspendPerformerRequest, _: Any
    ) -> control_pb2.SuspendPerformerResponse:
        performer = await self._act(Act.SUSPEND, request)
        return control_pb2.SuspendPerformerResponse(performer=performer)

    async def ResumePerformer(
        self, request: control_pb2.ResumePerformerRequest, _: Any
    ) -> control_pb2.ResumePerformerResponse:
        performer = await self._act(Act.RESUME, request)
        return control_pb2.ResumePerformerResponse(performer=performer)

    async def ExplainPerformer(
        self, request: control_pb2.ExplainPerformerRequest, _: Any
    ) -> control_pb2.ExplainPerformerResponse:
        validate(request)
        namespace = request.namespace or DEFAULT_NAMESPACE
        return explanation_to_proto(
            await self._port.explain(namespace, request.name, request.revision)
        )

    async def ListRevisions(
        self, request: control_pb2.ListRevisionsRequest, _: Any
    ) -> control_pb2.ListRevisionsResponse:
        validate(request)
        namespace = request.namespace or DEFAULT_NAMESPACE
        found = await self._port.list_revisions(namespace, request.name)
        return control_pb2.ListRevisionsResponse(revisions=map(revision_to_proto, found))

    async def GetLogs(
        self, request: control_pb2.GetLogsRequest, _: Any
    ) -> AsyncIterator[control_pb2.GetLogsResponse]:
        validate(request)
        query = LogQuery(
            namespace=request.namespace or DEFAULT_NAMESPACE,
            name=request.name,
            revision=request.revision,
            instance=request.instance,
            follow=request.follow,
            tail_lines=request.tail_lines if request.HasField("tail_lines") else None,
            since_seconds=_seconds(request.since) if request.HasField("since") else None,
            previous=request.previous,
        )
        async for line in self._port.logs(query):
            yield line_to_proto(line)

    async def ReportDrain(
        self, request: control_pb2.ReportDrainRequest, _: Any
    ) -> control_pb2.ReportDrainResponse:
        validate(request)
        now = self._clock.wall()
        valid = _seconds(request.valid_for) if request.HasField("valid_for") else None
        until = now + timedelta(seconds=valid or DEFAULT_VALID_SECONDS)
        reports = [
            DrainReport(
                executor=request.executor,
                revision=each.revision,
                in_flight=each.in_flight,
                lost=each.lost,
                renewed_at=now,
                valid_until=until,
                instances=dict(each.instances),
            )
            for each in request.reports
        ]
        namespace = request.namespace or DEFAULT_NAMESPACE
        await self._port.report_drain(
            namespace, request.name, request.uid, request.executor, reports
        )
        return control_pb2.ReportDrainResponse()

    async def WatchPerformers(
        self, request: control_pb2.WatchPerformersRequest, _: Any
    ) -> AsyncIterator[Encoded]:
        validate(request)
        wanted = Filter(namespace=request.namespace, name=request.name, avs=request.avs_address)
        async for event in self._port.watch(wanted, request.resume_token):
            yield watch_answer(event)

    async def _act(self, act: Act, request: Any, revision: str = "") -> control_pb2.Performer:
        validate(request)
        return performer_to_proto(await self._port.act(act, _aim(request), revision))


def _aim(request: Any) -> Aim:
    """Return what every request that changes one performer says."""
    return Aim(
        namespace=request.namespace or DEFAULT_NAMESPACE,
        name=request.name,
        etag=request.etag,
        request_id=getattr(request, "request_id", ""),
        validate_only=request.validate_only,
    )


def _written(request: control_pb2.UpdatePerformerRequest) -> dict[str, Any]:
    """Return the manifest of what an update may change. INVALID_ARGUMENT if it names another."""
    given = request.performer
    for field in ("namespace", "name"):
        own = getattr(given, field)
        if own and own != (getattr(request, field) or DEFAULT_NAMESPACE):
            raise invalid(f"performer.{field}", f"{own!r} is not the performer that is updated")
    found: dict[str, Any] = {"spec": spec_to_json(given.spec)}
    if given.labels:
        found["metadata"] = {"labels": dict(given.labels)}
    return found


def _seconds(duration: Any) -> float:
    return float(duration.ToNanoseconds() / 1e9)
