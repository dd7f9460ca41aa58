"""Performers that do harm, beside a good one that must not feel it."""

import asyncio
from random import Random
from time import monotonic

import grpc
from hourglass_common.domain.errors import Code
from hourglass_common.domain.task import Completed, Failed, OutcomeUnknown, Task, TaskOutcome
from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.dispatch.policy import DispatchPolicy
from structlog.testing import capture_logs

from tests.support.dispatching import CLOCK
from tests.support.hostile_performers import (
    FlappingHealth,
    Hostile,
    RawTcp,
    all_serving,
    ends,
    gives,
    hangs,
    headers_and_no_more,
    result,
)
from tests.support.performers import Performer, running

LIMIT = 64 << 10
MIB = 1 << 20
UNKNOWN = "TASK_OUTCOME_UNKNOWN"
BAD = "BAD_PERFORMER_ANSWER"
NOT_TAKEN = "TASK_NOT_STARTED"
NOT_STARTED = ("hourglass-task-state", "not-started")
ESCAPES = "\x1b[2J\x1b[31m" + "A" * 100_000

ZOO: dict[str, tuple[Hostile | RawTcp, Code, str]] = {
    "garbage": (Hostile(gives(b"\xff\xff\xff")), Code.INTERNAL, BAD),
    "nothing": (Hostile(gives(b"")), Code.DATA_LOSS, BAD),
    "another": (Hostile(gives(b"\x0a\x04\xff\xfe\x00\x01")), Code.DATA_LOSS, BAD),
    "too-big": (Hostile(result(LIMIT + 1)), Code.RESOURCE_EXHAUSTED, BAD),
    "huge": (Hostile(result(8 * MIB)), Code.ABORTED, UNKNOWN),
    "bomb": (
        Hostile(result(32 * MIB), compression=grpc.Compression.Gzip),
        Code.ABORTED,
        UNKNOWN,
    ),
    "hangs": (Hostile(hangs), Code.ABORTED, UNKNOWN),
    "headers": (Hostile(headers_and_no_more), Code.ABORTED, UNKNOWN),
    "no-method": (Hostile(None), Code.ABORTED, UNKNOWN),
    "trailers": (
        Hostile(ends(grpc.StatusCode.NOT_FOUND, "x", ("x-much", "y" * 100_000))),
        Code.ABORTED,
        UNKNOWN,
    ),
    "escapes": (Hostile(ends(grpc.StatusCode.INTERNAL, ESCAPES[:4000])), Code.ABORTED, UNKNOWN),
    "never-starts": (
        Hostile(ends(grpc.StatusCode.UNAVAILABLE, "x", NOT_STARTED)),
        Code.UNAVAILABLE,
        NOT_TAKEN,
    ),
    "silent": (RawTcp(None), Code.DEADLINE_EXCEEDED, NOT_TAKEN),
    "http1": (
        RawTcp(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000),
        Code.DEADLINE_EXCEEDED,
        NOT_TAKEN,
    ),
    "noise": (RawTcp(bytes(range(256)) * 400), Code.DEADLINE_EXCEEDED, NOT_TAKEN),
}
NEVER_ANSWER = {"hangs", "headers", "silent", "http1", "noise"}
RESTLESS: dict[str, Hostile | RawTcp] = {
    "flaps": Hostile(result(1), health=FlappingHealth(0.2)),
    "floods": Hostile(result(1), health=FlappingHealth(0.0)),
}


def task(avs: str, number: int) -> Task:
    return Task(task_id=f"0x{number:064x}", avs=avs, payload=b"x")


async def test_a_good_performer_does_not_feel_its_hostile_neighbours() -> None:
    good = Performer("good")
    hostile = {name: one for name, (one, *_) in ZOO.items()}
    policy = DispatchPolicy(max_message_bytes=LIMIT)
    done = asyncio.Event()
    waited: list[float] = []

    async with (
        running(good),
        all_serving({**hostile, **RESTLESS}) as endpoints,
        Dispatcher(clock=CLOCK, rng=Random(1), policy=policy) as dispatcher,
    ):
        dispatcher.set_endpoints("good", "performer", [good.endpoint()])
        assert await dispatcher.wait_usable("performer", 10)
        for name, endpoint in endpoints.items():
            dispatcher.set_endpoints(name, name, [endpoint])

        async def good_tasks() -> None:
            number = 1_000
            while not done.is_set():
                number += 1
                began = monotonic()
                outcome = await dispatcher.execute(task("good", number), CLOCK.monotonic() + 5)
                waited.append(monotonic() - began)
                assert outcome == Completed(b"x", "good")
                await asyncio.sleep(0.02)

        async def bad_tasks(name: str) -> list[TaskOutcome]:
            first = 0.7 if name in NEVER_ANSWER else 10.0
            return [
                await dispatcher.execute(task(name, number), CLOCK.monotonic() + seconds)
                for number, seconds in enumerate((first, 0.7, 0.7))
            ]

        async with asyncio.TaskGroup() as group:
            group.create_task(good_tasks())
            ended = {name: group.create_task(bad_tasks(name)) for name in endpoints}
            await asyncio.wait(ended.values())
            done.set()

    assert len(waited) >= 30
    assert sorted(waited)[int(len(waited) * 0.95)] < 0.5
    assert len(good.ledger) == len(waited) == len(set(good.ledger))
    for name, (one, code, reason) in ZOO.items():
        told = errors(ended[name].result())
        assert told[0][:2] == (code, reason), f"{name}: {told[0]}"
        assert all(len(text) < 1000 for *_, text in told), name
        if name != "never-starts":
            assert one.calls <= 3, f"{name} was called again for the same task"


def errors(outcomes: list[TaskOutcome]) -> list[tuple[Code, str, str]]:
    found: list[tuple[Code, str, str]] = []
    for outcome in outcomes:
        assert isinstance(outcome, Failed | OutcomeUnknown), outcome
        found.append((outcome.error.code, outcome.error.reason, str(outcome.error)))
    return found


async def test_health_that_never_comes_to_rest_is_not_listened_to_for_long() -> None:
    health = FlappingHealth(0.0)
    with capture_logs() as logs:
        async with (
            all_serving({"floods": Hostile(result(1), health=health)}) as endpoints,
            Dispatcher(clock=CLOCK, rng=Random(1)) as dispatcher,
        ):
            dispatcher.set_endpoints("floods", "floods", [endpoints["floods"]])
            await asyncio.sleep(1.0)
            told = health.told
            await asyncio.sleep(0.3)
            assert health.told == told > 20  # it was told to stop
    changes = [line for line in logs if line["event"] == "performer health changed"]
    assert 5 < len(changes) <= 40
