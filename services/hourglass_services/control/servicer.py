"""PerformerControl over gRPC: validate, translate, call the port."""

from collections.abc import AsyncIterator
from typing import Any

from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_common.domain.errors import Code, HourglassError

from hourglass_services.rpc.validation import validate

from .codec import event_to_proto, performer_to_proto, spec_to_json
from .port import Creation, Filter, PerformerControlPort

DEFAULT_NAMESPACE = "default"
DEFAULT_PAGE_SIZE = 500
PERFORMER_CONTROL = control_pb2.DESCRIPTOR.services_by_name["PerformerControl"]


class PerformerControlServicer:
    """Methods are named as in the .proto; see there for what they promise."""

    def __init__(self, port: PerformerControlPort) -> None:
        self._port = port

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

    async def GetPerformer(
        self, request: control_pb2.GetPerformerRequest, _: Any
    ) -> control_pb2.GetPerformerResponse:
        validate(request)
        view = await self._port.get(request.namespace or DEFAULT_NAMESPACE, request.name)
        return control_pb2.GetPerformerResponse(performer=performer_to_proto(view))

    async def ListPerformers(
        self, request: control_pb2.ListPerformersRequest, _: Any
    ) -> control_pb2.ListPerformersResponse:
        validate(request)
        page = await self._port.list(
            Filter(namespace=request.namespace, avs=request.avs_address),
            request.page_size or DEFAULT_PAGE_SIZE,
            request.page_token,
        )
        return control_pb2.ListPerformersResponse(
            performers=[performer_to_proto(view) for view in page.performers],
            next_page_token=page.next_page_token,
        )

    async def DeletePerformer(
        self, request: control_pb2.DeletePerformerRequest, _: Any
    ) -> control_pb2.DeletePerformerResponse:
        validate(request)
        namespace = request.namespace or DEFAULT_NAMESPACE
        try:
            await self._port.delete(namespace, request.name, request.etag, request.uid)
        except HourglassError as error:
            if not (request.allow_missing and error.code is Code.NOT_FOUND):
                raise
        return control_pb2.DeletePerformerResponse()

    async def WatchPerformers(
        self, request: control_pb2.WatchPerformersRequest, _: Any
    ) -> AsyncIterator[control_pb2.WatchPerformersResponse]:
        validate(request)
        wanted = Filter(namespace=request.namespace, name=request.name, avs=request.avs_address)
        async for event in self._port.watch(wanted, request.resume_token):
            yield event_to_proto(event)
