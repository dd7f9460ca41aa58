"""A performer that costs little and keeps a ledger: ``python -m tests.support.ledger_performer``.

It gives each task its payload back. From the environment: ``GRPC_PORT``; ``LEDGER``, a file that
gets a line ``began ID`` for each execution, synced to the disk before anything else is done, and
``ended ID`` before its answer; ``WORK_SECONDS``, how long each takes. Several performers may share
a ledger. What is in it outlives both programs: it is the judge of what ran, and how often.
"""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health

COMMAND = (sys.executable, "-m", "tests.support.ledger_performer")
SERVICE = "eigenlayer.hourglass.v1.performer.PerformerService"
_ID = slice(2, 68)  # of a TaskRequest: one byte of tag, one of length, "0x" and 64 digits


class LedgerFile:
    """Appends lines; many callers share one fsync."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._waiting: list[asyncio.Future[None]] = []
        self._syncing = False

    def write(self, line: bytes) -> None:
        os.write(self._file, line)

    async def write_synced(self, line: bytes) -> None:
        """Return when ``line`` is on the disk."""
        self.write(line)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if not self._syncing:
            self._syncing = True
            try:
                while self._waiting:
                    batch, self._waiting = self._waiting, []
                    await asyncio.to_thread(os.fsync, self._file)
                    for one in batch:
                        if not one.done():
                            one.set_result(None)
            finally:
                self._syncing = False
        await done


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the performers did: by task id, how often it was begun and ended."""

    began: Counter[str]
    ended: Counter[str]

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        began, ended = Counter[str](), Counter[str]()
        for line in path.read_text().splitlines() if path.exists() else ():
            word, _, task_id = line.partition(" ")
            (began if word == "began" else ended)[task_id] += 1
        return cls(began, ended)

    @property
    def twice(self) -> list[str]:
        return [task_id for task_id, count in self.began.items() if count > 1]


def execute(ledger: LedgerFile | None, work_seconds: float) -> Any:
    async def plain(request: bytes, _: Any) -> bytes:
        if work_seconds:
            await asyncio.sleep(work_seconds)
        return request  # a TaskResponse has the form of a TaskRequest

    async def recorded(request: bytes, context: Any) -> bytes:
        assert ledger is not None
        await ledger.write_synced(b"began " + request[_ID] + b"\n")
        answer = await plain(request, context)
        ledger.write(b"ended " + request[_ID] + b"\n")
        return answer

    return plain if ledger is None else recorded


async def main() -> None:
    path = os.environ.get("LEDGER")
    behaviour = execute(
        LedgerFile(Path(path)) if path else None, float(os.environ.get("WORK_SECONDS", "0"))
    )
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handler: Any = grpc.unary_unary_rpc_method_handler(behaviour)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"ExecuteTask": handler}),)
    )
    health_pb2_grpc.add_HealthServicer_to_server(grpc_health.HealthServicer(), server)
    port = server.add_insecure_port(f"127.0.0.1:{os.environ.get('GRPC_PORT', '0')}")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
