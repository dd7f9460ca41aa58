"""ExecutorInspection over gRPC: translate and call the port."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb

from hourglass_services.executor.port import AuthSignature
from hourglass_services.rpc.validation import validate

from .codec import endpoints_to_proto
from .port import InspectionPort
from .task_codec import (
    event_to_proto,
    explanation_to_proto,
    page_to_proto,
    resolved_from_proto,
    task_to_proto,
)
from .tasks import TaskState
from .words import STATES

INSPECTION_SERVICE = pb.DESCRIPTOR.services_by_name["ExecutorInspection"]


class InspectionServicer:
    """Methods are named as in the .proto."""

    def __init__(self, port: InspectionPort) -> None:
        self._port = port

    async def ListEndpoints(
        self, request: pb.ListEndpointsRequest, _: Any
    ) -> pb.ListEndpointsResponse:
        validate(request)
        return endpoints_to_proto(self._port.list_endpoints(request.avs_address, _auth(request)))

    async def GetTask(self, request: pb.GetTaskRequest, _: Any) -> pb.GetTaskResponse:
        validate(request)
        task = await self._port.get_task(
            request.task_id, content=request.include_content, auth=_auth(request)
        )
        return pb.GetTaskResponse(task=task_to_proto(task))

    async def ListTasks(self, request: pb.ListTasksRequest, _: Any) -> pb.ListTasksResponse:
        validate(request)
        page = await self._port.list_tasks(
            request.avs_address,
            [STATES.word(number, TaskState.UNKNOWN) for number in request.states],
            request.page_size,
            request.page_token,
            _auth(request),
        )
        return page_to_proto(page)

    async def ResolveTask(self, request: pb.ResolveTaskRequest, _: Any) -> pb.ResolveTaskResponse:
        validate(request)
        said = resolved_from_proto(request.resolution)
        task = await self._port.resolve_task(request.task_id, said, _auth(request))
        return pb.ResolveTaskResponse(task=task_to_proto(task))

    async def Explain(self, request: pb.ExplainRequest, _: Any) -> pb.ExplainResponse:
        validate(request)
        if request.WhichOneof("subject") == "task_id":
            found = await self._port.explain_task(request.task_id, _auth(request))
        else:
            found = self._port.explain_avs(request.avs_address, _auth(request))
        return explanation_to_proto(found)

    async def Tap(self, request: pb.TapRequest, _: Any) -> AsyncIterator[pb.TapResponse]:
        validate(request)
        events: Any = self._port.tap(request.avs_address, request.sample_rate, _auth(request))
        async with aclosing(events):
            async for event in events:
                yield event_to_proto(event)


def _auth(request: Any) -> AuthSignature | None:
    if not request.HasField("auth"):
        return None
    return AuthSignature(
        challenge_token=request.auth.challenge_token, signature=request.auth.signature
    )
