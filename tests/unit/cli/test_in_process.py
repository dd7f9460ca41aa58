"""PerformerControl without a socket: the same answers and errors as over one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hourglass_cli.in_process import InProcessChannel
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Creation, EventKind, Filter, PerformerView, WatchEvent
from hourglass_services.control.servicer import PerformerControlServicer

from tests.support.played_control import LINES, PlayedControl
from tests.support.rpc_echo import served
from tests.support.shown_performers import view


class Refusing(PlayedControl):
    async def get(self, namespace: str, name: str) -> PerformerView:
        if name == "slow":
            await asyncio.sleep(60)
        if name == "squares":
            return view()
        raise HourglassError(
            Code.NOT_FOUND, "no such one", reason="R", hint="look", metadata={"a": "b"}
        )


async def both(ask: Any) -> tuple[Any, Any]:
    """Return what ``ask`` gets in this process, and over a socket."""

    async def told(channel: Any) -> Any:
        try:
            return await ask(PerformerControlClient(channel, timeout_seconds=0.2))
        except HourglassError as error:
            facts = (error.code, error.message, error.hint, error.reason, dict(error.metadata))
            return (*facts, error.violations, error.retry_after)

    servicer = PerformerControlServicer(Refusing())
    async with served(servicer) as (_, channel):
        return await told(InProcessChannel(servicer)), await told(channel)


BAD = Creation(namespace="N S", name="", spec={})


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get("default", "squares"),
        lambda client: client.get("default", "nobody"),
        lambda client: client.create(BAD),
        lambda client: client.list(Filter(), page_size=-1),
    ],
)
async def test_an_answer_or_refusal_is_the_same_as_over_a_socket(ask: Any) -> None:
    here, there = await both(ask)
    assert here == there


async def test_what_takes_too_long_has_the_same_code() -> None:
    here, there = await both(lambda client: client.get("default", "slow"))
    assert (here[0], there[0]) == (Code.DEADLINE_EXCEEDED, Code.DEADLINE_EXCEEDED)


async def test_streams_come_through_one_by_one() -> None:
    port = PlayedControl(scripts=[[WatchEvent(EventKind.SNAPSHOT_DONE, None, "1")]])
    channel: Any = InProcessChannel(PerformerControlServicer(port))
    client = PerformerControlClient(channel)
    events: AsyncIterator[WatchEvent] = client.watch(Filter())
    assert (await anext(events)).kind is EventKind.SNAPSHOT_DONE
    from hourglass_services.control.port import LogQuery

    query = LogQuery(namespace="default", name="a")
    assert [line async for line in client.logs(query)] == list(LINES)
