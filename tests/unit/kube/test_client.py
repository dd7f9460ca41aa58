"""The client against a small server that misbehaves in the ways that real ones do."""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from aiohttp import web
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError, KubeUnavailableError
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import CONFIG_MAPS, PODS, Manifest
from hourglass_common.kube.watch_state import Change
from hourglass_common.runtime.system_clock import SystemClock

from tests.support.kube_server import serving


def status(code: int, reason: str, **more: Any) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": f"it is {reason}", **more}
    return web.json_response(body, status=code)


@pytest.mark.parametrize(
    ("http", "reason", "code"),
    [
        (404, "NotFound", Code.NOT_FOUND),
        (409, "AlreadyExists", Code.ALREADY_EXISTS),
        (409, "Conflict", Code.ABORTED),
        (410, "Expired", Code.OUT_OF_RANGE),
        (403, "Forbidden", Code.PERMISSION_DENIED),
        (401, "Unauthorized", Code.UNAUTHENTICATED),
        (429, "TooManyRequests", Code.RESOURCE_EXHAUSTED),
        (500, "InternalError", Code.UNAVAILABLE),
        (503, "ServiceUnavailable", Code.UNAVAILABLE),
    ],
)
async def test_a_status_becomes_an_error_with_its_code(http: int, reason: str, code: Code) -> None:
    async def handler(_: web.Request) -> web.Response:
        return status(http, reason)

    async with serving(handler) as client:
        with pytest.raises(KubeError) as caught:
            await client.get(PODS, "default", "pod")
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert f"it is {reason}" in caught.value.message


async def test_the_causes_of_an_invalid_object_become_violations() -> None:
    causes = [{"field": "spec.x", "message": "is bad"}, {"message": "no field"}]

    async def handler(_: web.Request) -> web.Response:
        return status(422, "Invalid", details={"causes": causes})

    async with serving(handler) as client:
        with pytest.raises(KubeError) as caught:
            await client.create(PODS, "default", {"metadata": {"name": "p"}})
    assert [(v.field, v.description) for v in caught.value.violations] == [("spec.x", "is bad")]


async def test_retry_after_is_read_from_the_header_too() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=429, text="slow down", headers={"Retry-After": "7"})

    async with serving(handler) as client:
        with pytest.raises(KubeError) as caught:
            await client.get(PODS, "default", "pod")
    assert caught.value.retry_after == 7.0
    assert "slow down" in caught.value.message


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b'{"metadata":'])
async def test_an_answer_that_is_not_an_object_is_no_answer(body: bytes) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with serving(handler) as client:
        with pytest.raises(KubeUnavailableError):
            await client.get(PODS, "default", "pod")


async def test_a_server_that_never_answers_is_left_at_the_deadline() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(handler, timeout_seconds=0.1) as client:
        with pytest.raises(KubeUnavailableError):
            await client.get(PODS, "default", "pod")


async def test_nobody_listening_is_unavailable_with_a_hint() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with serving(handler) as client:
        pass
    async with KubeClient(client.connection) as lost:
        with pytest.raises(KubeUnavailableError) as caught:
            await lost.get(PODS, "default", "pod")
    assert caught.value.hint


async def test_every_request_names_its_agent_and_a_patch_its_kind() -> None:
    agents: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        agents.append(request.headers["User-Agent"])
        return web.json_response({"metadata": {"name": "x"}})

    async with serving(handler, user_agent="hourglass/test") as client:
        await client.get(PODS, "n", "x")
        await client.apply(PODS, "n", {"metadata": {"name": "x"}}, field_manager="m")
        await client.merge_patch(PODS, "n", "x", {})
        await client.json_patch(PODS, "n", "x", [])
    assert agents == [
        "hourglass/test",
        "hourglass/test (apply)",
        "hourglass/test (merge)",
        "hourglass/test (json)",
    ]


def line(kind: str, version: int, name: str = "a") -> bytes:
    body = {"metadata": {"name": name, "uid": "u", "resourceVersion": str(version)}}
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


async def streamed(request: web.Request, *chunks: bytes, hang: bool = False) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
        await asyncio.sleep(0)
    if hang:
        await asyncio.Event().wait()
    return response


async def watched(client: KubeClient, **options: Any) -> list[str]:
    stream = client.watch(CONFIG_MAPS, "n", resource_version="1", **options)
    async with aclosing(stream) as events:  # type: ignore[type-var]
        return [event["object"]["metadata"]["resourceVersion"] async for event in events]


async def test_events_are_read_however_the_bytes_are_cut() -> None:
    whole = line("ADDED", 2) + line("MODIFIED", 3) + line("DELETED", 4)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await streamed(request, whole[:10], whole[10:150], whole[150:151], whole[151:])

    async with serving(handler) as client:
        assert await watched(client) == ["2", "3", "4"]


@pytest.mark.parametrize("rest", [b'{"type": "ADD', b"not json\n"])
async def test_a_watch_that_ends_inside_an_event_broke(rest: bytes) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await streamed(request, line("ADDED", 2), rest)

    async with serving(handler) as client:
        with pytest.raises(KubeUnavailableError):
            await watched(client)


async def test_a_half_open_watch_is_given_up_after_its_idle_time() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await streamed(request, line("ADDED", 2), hang=True)

    async with serving(handler) as client:
        with pytest.raises(KubeUnavailableError):
            await watched(client, idle_seconds=0.1)


async def test_every_answer_is_told_and_that_there_was_none() -> None:
    told: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE":
            assert request.transport is not None
            request.transport.abort()
        return status(404, "NotFound")

    async with serving(handler, answered=lambda *answer: told.append(answer)) as client:
        with pytest.raises(KubeError):
            await client.get(PODS, "ns", "a")
        with pytest.raises(KubeUnavailableError):
            await client.delete(PODS, "ns", "a")
    assert told == [("GET", "404"), ("DELETE", "<error>")]


class Cluster:
    """One list, then one scripted answer for each watch; the last one hangs."""

    def __init__(self, *watches: tuple[bytes, ...] | int) -> None:
        self.watches = list(watches)
        self.lists = 0
        self.versions: list[str] = []
        self.items: list[dict[str, Any]] = [
            {"metadata": {"name": "a", "uid": "u", "resourceVersion": "1"}}
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            meta = {"resourceVersion": "10"}
            return web.json_response({"metadata": meta, "items": self.items})
        self.versions.append(request.query["resourceVersion"])
        script = self.watches.pop(0) if self.watches else ()
        if isinstance(script, int):
            return status(script, "Expired")
        return await streamed(request, *script, hang=not self.watches)


async def following(
    cluster: Cluster,
    until: Callable[[Reflector], bool],
    transform: Callable[[Manifest], Manifest] | None = None,
) -> list[Change]:
    changes: list[Change] = []
    enough = asyncio.Event()

    def note(change: Change) -> None:
        changes.append(change)
        if until(reflector):
            enough.set()

    async with serving(cluster.handle) as client:
        reflector = Reflector(
            client,
            CONFIG_MAPS,
            on_change=note,
            transform=transform,
            clock=SystemClock(),
            rng=random.Random(1),
            idle_seconds=5,
        )
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(reflector.run())
            await reflector.wait_synced(5)
            async with asyncio.timeout(10):
                await enough.wait()
            assert reflector.age(SystemClock().monotonic()) < 5
            run.cancel()
    return changes


async def test_a_reflector_goes_on_from_the_last_version_after_a_cut() -> None:
    cluster = Cluster((line("MODIFIED", 11), b'{"type"'), (line("MODIFIED", 12),))
    changes = await following(cluster, lambda r: ("", "a") in r.objects and seen(r) == "12")
    assert [change.kind for change in changes] == ["added", "modified", "modified"]
    assert cluster.versions[:2] == ["10", "11"]
    assert cluster.lists == 1


async def test_a_reflector_lists_again_after_410_and_notices_deletions() -> None:
    cluster = Cluster(410, (line("ADDED", 20, "b"),))

    async def handle(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            cluster.items = []
        return await Cluster.handle(cluster, request)

    cluster.handle = handle  # type: ignore[method-assign]
    changes = await following(cluster, lambda r: ("", "b") in r.objects)
    assert [(c.kind, c.key[1]) for c in changes] == [
        ("added", "a"),
        ("deleted", "a"),
        ("added", "b"),
    ]
    assert cluster.lists == 2


async def test_the_version_of_the_last_list_stays_known_while_a_watch_goes_on() -> None:
    told: list[tuple[str, tuple[str, ...]]] = []

    def until(reflector: Reflector) -> bool:
        told.append((reflector.version, reflector.listed))
        return seen(reflector) == "11"

    await following(Cluster((line("MODIFIED", 11),)), until)
    assert told == [("10", ("10",)), ("11", ("10",))]


def seen(reflector: Reflector) -> str:
    return str(reflector.objects["", "a"]["metadata"]["resourceVersion"])


async def test_what_is_kept_is_what_the_transform_leaves() -> None:
    changed = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "11"}, "spec": {}}
    modified = orjson.dumps({"type": "MODIFIED", "object": changed}) + b"\n"
    cluster = Cluster((modified, line("DELETED", 12)))
    cluster.items[0]["spec"] = {"large": "x"}

    def bare(manifest: Manifest) -> Manifest:
        return {"metadata": manifest["metadata"]}

    changes = await following(cluster, lambda r: not r.objects and r.version == "12", bare)
    kept = [change.new or change.old for change in changes]
    assert [change.kind for change in changes] == ["added", "modified", "deleted"]
    assert all(list(manifest or {}) == ["metadata"] for manifest in kept)


async def test_a_list_that_fails_says_what_to_check() -> None:
    async def handler(_: web.Request) -> web.Response:
        return status(403, "Forbidden")

    async with serving(handler) as client:
        reflector = Reflector(client, PODS, clock=SystemClock())
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(reflector.run())
            with pytest.raises(HourglassError, match="pods could not be listed"):
                await reflector.wait_synced(0.2)
            run.cancel()
    assert reflector.objects == {}
