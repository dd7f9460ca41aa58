"""PerformerService for demonstrations and tests: it squares numbers, and misbehaves when told."""

import asyncio
import os
import sys
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from eigenlayer.hourglass.v1.performer import performer_pb2, performer_pb2_grpc
from hourglass_common.domain.errors import HourglassError
from hourglass_services.rpc.health import HealthService
from hourglass_services.rpc.reflection import register_reflection

from .options import Options
from .square import square

SERVICE: Final = performer_pb2.DESCRIPTOR.services_by_name["PerformerService"].full_name
FAILED: Final = (("hourglass-task-state", "failed"),)
"""Trailing metadata by which a performer says: the task ran, and this status is its result."""

_LONG_LINE_BYTES = 10_000_000
_GARBAGE = bytes(range(256)).replace(b"\n", b"") + b"\n"
_MAX_MESSAGE_BYTES = 64 << 20

Context = grpc.aio.ServicerContext[Any, Any]


class DemoPerformer:
    """The servicer. ``leaving`` is set once ``--exit-after`` tasks were answered."""

    def __init__(self, options: Options, health: HealthService) -> None:
        self._options = options
        self._health = health
        self._started = 0
        self._answered = 0
        self.leaving = asyncio.Event()

    async def StartSync(self, request: Any, context: Context) -> Any:
        return performer_pb2.StartSyncResponse()

    async def ExecuteTask(self, request: Any, context: Context) -> Any:
        options = self._options
        self._started += 1
        number = self._started
        task_id = request.task_id.decode("ascii", "replace")
        if options.ledger is not None:
            await asyncio.to_thread(self._record, task_id)
        if options.chatter:
            await asyncio.to_thread(chatter)
        if number == options.exit_during:
            print(f"task {task_id}: leaving in the middle of it, as told", flush=True)
            os._exit(1)
        await asyncio.sleep(options.delay)
        if options.fail_every and number % options.fail_every == 0:
            await _abort(
                context, grpc.StatusCode[options.fail.value], f"task {number} fails, as told"
            )
        result = await self._squared(request.payload, context)
        print(f"task {task_id}: done", flush=True)
        self._count_answer()
        return performer_pb2.TaskResponse(task_id=request.task_id, result=result)

    async def _squared(self, payload: bytes, context: Context) -> bytes:
        try:
            return square(payload)
        except HourglassError as error:
            await _abort(context, grpc.StatusCode[error.code.value], error.message)

    def _count_answer(self) -> None:
        self._answered += 1
        if self._answered == self._options.not_serving_after:
            self._health.set(serving=False)
        if self._answered == self._options.exit_after:
            self.leaving.set()

    def _record(self, task_id: str) -> None:
        """Append one line, on disk when this returns; several processes may share the file."""
        assert self._options.ledger is not None
        file = os.open(self._options.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, task_id.encode("utf-8") + b"\n")
            os.fsync(file)
        finally:
            os.close(file)


async def _abort(context: Context, code: grpc.StatusCode, text: str) -> NoReturn:
    await context.abort(code, text, FAILED)


def chatter() -> None:
    """Write what no log reader likes: bytes that are no text, and a line of 10 MB."""
    sys.stdout.buffer.write(_GARBAGE)
    sys.stdout.buffer.write(b"x" * _LONG_LINE_BYTES + b"\n")
    sys.stdout.buffer.flush()


async def serve(options: Options, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set or the options say to leave; then let running tasks finish.

    OSError if the port can not be had.
    """
    await asyncio.sleep(options.start_delay)
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ]
    )
    health = HealthService((SERVICE,))
    performer = DemoPerformer(options, health)
    performer_pb2_grpc.add_PerformerServiceServicer_to_server(performer, server)  # type: ignore[arg-type]
    health.register(server)
    register_reflection(server, (SERVICE, "grpc.health.v1.Health"))
    address = f"{options.host}:{options.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as exc:
        raise OSError(f"can not listen on {address}: {exc}") from exc
    await server.start()
    health.set(serving=not options.not_serving)
    print(f"demo performer listening on {options.host}:{port}", flush=True)
    if options.chatter:
        await asyncio.to_thread(chatter)
    await _first(stop, performer.leaving)
    print("demo performer stopping", flush=True)
    health.set(serving=False)
    await server.stop(options.grace)


async def _first(*events: asyncio.Event) -> None:
    """Return when one of ``events`` is set."""
    async with asyncio.TaskGroup() as group:
        done = asyncio.Event()

        async def watch(event: asyncio.Event) -> None:
            await event.wait()
            done.set()

        tasks = [group.create_task(watch(event)) for event in events]
        await done.wait()
        for task in tasks:
            task.cancel()
