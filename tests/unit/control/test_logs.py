"""The output of several instances as one stream."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.namespaces import Nothing
from hourglass_common.kube.resources import PODS
from hourglass_common.kube.watch_state import Change
from hourglass_operator.control.logs import LONGEST_LINE, read_logs
from hourglass_services.control.port import LogLine, LogQuery

from tests.support.kube_server import serving


class Pods(Nothing):
    """A cache of pods that a test fills."""

    def __init__(self) -> None:
        super().__init__(PODS)
        self.objects = {}
        self.listeners: list[Callable[[Change], None]] = []

    def listen(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        self.listeners.append(on_change)
        return lambda: self.listeners.remove(on_change)

    def add(self, name: str, performer: str = "demo", revision: str = "r1") -> None:
        labels = {
            "hourglass.eigenlayer.io/performer": performer,
            "hourglass.eigenlayer.io/revision": revision,
        }
        pod = {"metadata": {"namespace": "ns", "name": name, "uid": name, "labels": labels}}
        self.objects = {**self.objects, ("ns", name): pod}
        for listener in self.listeners:
            listener(Change("added", ("ns", name), None, pod))

    def remove(self, name: str) -> None:
        self.objects = {key: pod for key, pod in self.objects.items() if key[1] != name}


def query(**more: Any) -> LogQuery:
    return LogQuery(namespace="ns", name="demo", **more)


def of(outputs: Mapping[str, bytes], asked: list[Mapping[str, str]] | None = None) -> Any:
    """Return a handler that gives each pod's output, 400 for a pod that has none."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if asked is not None:
            asked.append(dict(request.query))
        name = request.path.split("/")[-2]
        if name not in outputs:
            status = {
                "kind": "Status",
                "message": f'container "performer" in pod "{name}" is waiting to start',
                "reason": "BadRequest",
            }
            return web.json_response(status, status=400)
        return web.Response(body=outputs[name])

    return handle


async def read(handler: Any, pods: Pods, asked: LogQuery) -> list[LogLine]:
    async with serving(handler) as client:
        return [line async for line in read_logs(client, pods, asked)]


async def test_lines_come_with_their_instance_revision_and_time() -> None:
    pods = Pods()
    pods.add("a-1")
    pods.add("a-2", revision="r2")
    pods.add("other-1", performer="other")
    time = "2026-01-02T03:04:05.123456789Z"
    outputs = {
        "a-1": f"{time} up\n{time} \nhalf a line".encode(),
        "a-2": b"2026-01-02 looks like a time\n\xff\n",
        "other-1": b"not mine\n",
    }
    found = await read(of(outputs), pods, query())
    assert [line for line in found if line.instance == "a-1"] == [
        LogLine("a-1", "r1", time, "up"),
        LogLine("a-1", "r1", time, ""),
        LogLine("a-1", "r1", "", "half a line"),
    ]
    assert [line for line in found if line.instance != "a-1"] == [
        LogLine("a-2", "r2", "", "2026-01-02 looks like a time"),
        LogLine("a-2", "r2", "", "�"),
    ]


async def test_a_very_long_line_comes_in_parts() -> None:
    pods = Pods()
    pods.add("a-1")
    found = await read(of({"a-1": b"x" * (3 * LONGEST_LINE) + b"\nend"}), pods, query())
    assert "".join(line.line for line in found) == "x" * (3 * LONGEST_LINE) + "end"
    assert max(len(line.line) for line in found) <= 2 * LONGEST_LINE


async def test_what_is_asked_for_reaches_the_api() -> None:
    pods = Pods()
    pods.add("a-1")
    asked: list[Mapping[str, str]] = []
    await read(of({"a-1": b""}, asked), pods, query(tail_lines=0, since_seconds=0.2, previous=True))
    assert asked == [
        {
            "container": "performer",
            "timestamps": "true",
            "previous": "true",
            "tailLines": "0",
            "sinceSeconds": "1",
        }
    ]


@pytest.mark.parametrize("more", [{}, {"instance": "a-9"}, {"revision": "r9"}])
async def test_instances_that_there_are_not_are_an_error(more: dict[str, str]) -> None:
    pods = Pods()
    if more:
        pods.add("a-1")
    with pytest.raises(HourglassError) as caught:
        await read(of({"a-1": b""}), pods, query(**more))
    assert caught.value.reason == "INSTANCE_NOT_FOUND"


async def test_an_instance_without_output_is_left_out_unless_none_has_any() -> None:
    pods = Pods()
    pods.add("a-1")
    pods.add("a-2")
    found = await read(of({"a-1": b"up\n"}), pods, query())
    assert [line.line for line in found] == ["up"]
    with pytest.raises(HourglassError, match="waiting to start") as caught:
        await read(of({}), pods, query())
    assert caught.value.code is Code.FAILED_PRECONDITION


async def test_instances_that_come_later_are_followed_and_a_reader_may_leave() -> None:
    pods = Pods()
    ended = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"hello from " + request.path.split("/")[-2].encode() + b"\n")
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return response

    async with serving(handle) as client:
        async with aclosing(read_logs(client, pods, query(follow=True))) as lines:
            pods_come = asyncio.get_running_loop().call_later(0.05, pods.add, "a-1")
            assert (await anext(lines)).line == "hello from a-1"
            pods.add("a-2")
            assert (await anext(lines)).line == "hello from a-2"
            pods_come.cancel()
        async with asyncio.timeout(5):
            await ended.wait()
    assert pods.listeners == []


async def test_a_container_that_begins_anew_is_followed_without_its_old_lines() -> None:
    pods = Pods()
    pods.add("a-1")
    times = [f"2026-01-02T03:04:0{n}.000000000Z" for n in range(3)]
    asked: list[Mapping[str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        shown = times[:2] if len(asked) == 1 else times
        if len(asked) == 2:
            pods.remove("a-1")
        return web.Response(body="".join(f"{time} {time[18]}\n" for time in shown).encode())

    asking = query(follow=True, tail_lines=5)
    async with serving(handle) as client, aclosing(read_logs(client, pods, asking)) as lines:
        found = [(await anext(lines)).line for _ in range(3)]
    assert found == ["0", "1", "2"]
    assert asked[1].get("sinceTime") == times[1]
    assert "tailLines" not in asked[1]
