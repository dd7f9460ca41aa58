"""The bare client, a program: requests from a plan, over a few kept-alive connections.

    python -m tests.bench.operator_rig.bare_client PLAN.json

The plan holds ``names`` and ``steps``. Every name is a chain: the steps in their order, with
``__NAME__`` replaced, and ``__UID__`` and ``__VERSION__`` by what the API answered to the first.
It renders all, prints ``ready``, waits for a line on stdin, runs the chains on ``connections``
connections and prints ``{"began": ..., "ended": ..., "requests": ...}``, both moments on the
machine's monotonic clock. With ``stepwise`` it waits for a line before each chain, and prints for
each. An answer of 400 or above ends it with exit status 1.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.bench.operator_rig.wire import Server, Wire

NAME, UID, VERSION = "__NAME__", "__UID__", "__VERSION__"


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a chain, with placeholders in ``path`` and ``body``."""

    method: str
    path: str
    kind: str
    body: str

    def rendered(self, name: str) -> "Request":
        body = self.body.replace(NAME, name)
        bound = UID in body or VERSION in body
        path = self.path.replace(NAME, name)
        return Request(self.method, path, self.kind, body.encode(), bound)


@dataclass(frozen=True, slots=True)
class Request:
    """A request but for what the first answer of its chain tells, where it is ``bound``."""

    method: str
    path: str
    kind: str
    body: bytes
    bound: bool

    def complete(self, uid: bytes, version: bytes) -> bytes:
        if not self.bound:
            return self.body
        return self.body.replace(b"__UID__", uid).replace(b"__VERSION__", version)


Chain = tuple[Request, ...]


class RefusedError(Exception):
    """The API did not do what was asked."""


def rendered(plan: dict[str, Any]) -> list[Chain]:
    """Return the chains of a plan."""
    steps = [Step(**step) for step in plan["steps"]]
    return [tuple(step.rendered(name) for step in steps) for name in plan["names"]]


async def run_chain(wire: Wire, chain: Chain) -> None:
    """Send the requests of a chain one after the other."""
    uid = version = b""
    for number, request in enumerate(chain):
        body = request.complete(uid, version)
        status, answer = await wire.ask(request.method, request.path, request.kind, body)
        if status >= 400 and (request.method, status) != ("DELETE", 404):
            raise RefusedError(f"{request.method} {request.path}: {status} {answer.decode()}")
        if number == 0 and len(chain) > 1:
            meta = orjson.loads(answer)["metadata"]
            uid, version = meta["uid"].encode(), meta["resourceVersion"].encode()


async def run_all(wires: Iterable[Wire], chains: Iterable[Chain]) -> tuple[float, float]:
    """Run the chains, each connection taking the next; returns when it began and ended."""
    waiting: Iterator[Chain] = iter(chains)

    async def work(wire: Wire) -> None:
        for chain in waiting:
            await run_chain(wire, chain)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for wire in wires:
            group.create_task(work(wire))
    return began, time.monotonic()


async def main(path: Path) -> None:
    plan = json.loads(path.read_text())
    chains = rendered(plan)
    server = Server(**plan["server"])
    wires = [await Wire.open(server) for _ in range(plan["connections"])]
    _say("ready")
    for part in [[chain] for chain in chains] if plan["stepwise"] else [chains]:
        if not await asyncio.to_thread(sys.stdin.readline):
            break
        began, ended = await run_all(wires, part)
        requests = sum(len(chain) for chain in part)
        _say(json.dumps({"began": began, "ended": ended, "requests": requests}))
    for wire in wires:
        wire.close()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        try:
            asyncio.run(main(Path(sys.argv[1])))
        except* RefusedError as refused:
            sys.exit("\n".join(str(error)[:1000] for error in refused.exceptions))
