"""A client of ExecutorInspection, over a channel of ``rpc.channel.open_channel``."""

from collections.abc import AsyncGenerator, Awaitable, Collection
from typing import Any

import grpc
import grpc.aio
from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb
from eigenlayer.hourglass.executor.v1 import inspection_pb2_grpc

from hourglass_services.executor.codec import auth_to_proto
from hourglass_services.executor.port import AuthSignature
from hourglass_services.rpc.status import from_rpc_error

from .codec import endpoints_from_proto
from .port import Endpoints
from .task_codec import (
    event_from_proto,
    explanation_from_proto,
    page_from_proto,
    resolved_to_proto,
    task_from_proto,
)
from .tasks import ExecutorTask, Explanation, Resolved, TapEvent, TaskPage, TaskState
from .words import STATES


class InspectionClient:
    """Errors come as ``HourglassError``, with the executor's own details."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = inspection_pb2_grpc.ExecutorInspectionStub(channel)

    async def list_endpoints(
        self,
        avs_address: str = "",
        *,
        auth: AuthSignature | None = None,
        timeout_seconds: float = 5.0,
    ) -> Endpoints:
        request = pb.ListEndpointsRequest(avs_address=avs_address, auth=auth_to_proto(auth))
        return endpoints_from_proto(
            await _answer(self._stub.ListEndpoints(request, timeout=timeout_seconds))
        )

    async def get_task(
        self,
        task_id: str,
        *,
        content: bool = False,
        auth: AuthSignature | None = None,
        timeout_seconds: float = 5.0,
    ) -> ExecutorTask:
        request = pb.GetTaskRequest(
            task_id=task_id, include_content=content, auth=auth_to_proto(auth)
        )
        answer = await _answer(self._stub.GetTask(request, timeout=timeout_seconds))
        return task_from_proto(answer.task)

    async def list_tasks(
        self,
        avs_address: str = "",
        states: Collection[TaskState] = (),
        *,
        page_size: int = 0,
        page_token: str = "",
        auth: AuthSignature | None = None,
        timeout_seconds: float = 10.0,
    ) -> TaskPage:
        request = pb.ListTasksRequest(
            avs_address=avs_address,
            states=map(STATES.number, states),
            page_size=page_size,
            page_token=page_token,
            auth=auth_to_proto(auth),
        )
        return page_from_proto(
            await _answer(self._stub.ListTasks(request, timeout=timeout_seconds))
        )

    async def resolve_task(
        self,
        task_id: str,
        said: Resolved,
        *,
        auth: AuthSignature | None = None,
        timeout_seconds: float = 10.0,
    ) -> ExecutorTask:
        request = pb.ResolveTaskRequest(
            task_id=task_id, resolution=resolved_to_proto(said), auth=auth_to_proto(auth)
        )
        answer = await _answer(self._stub.ResolveTask(request, timeout=timeout_seconds))
        return task_from_proto(answer.task)

    async def explain(
        self,
        *,
        task_id: str = "",
        avs_address: str = "",
        auth: AuthSignature | None = None,
        timeout_seconds: float = 5.0,
    ) -> Explanation:
        """Explain a task, or without ``task_id`` an AVS."""
        request = pb.ExplainRequest(auth=auth_to_proto(auth))
        if task_id:
            request.task_id = task_id
        else:
            request.avs_address = avs_address
        return explanation_from_proto(
            await _answer(self._stub.Explain(request, timeout=timeout_seconds))
        )

    async def tap(
        self, avs_address: str = "", *, sample_rate: float = 1.0, auth: AuthSignature | None = None
    ) -> AsyncGenerator[TapEvent, None]:
        """Yield events until closed; the call is cancelled then."""
        request = pb.TapRequest(
            avs_address=avs_address, sample_rate=sample_rate, auth=auth_to_proto(auth)
        )
        call = self._stub.Tap(request)
        try:
            async for message in call:
                if (event := event_from_proto(message)) is not None:
                    yield event
        except grpc.aio.AioRpcError as exc:
            raise from_rpc_error(exc) from exc
        finally:
            call.cancel()


async def _answer(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as exc:
        raise from_rpc_error(exc) from exc
