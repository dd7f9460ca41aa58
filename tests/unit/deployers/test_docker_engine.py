"""The client of the Docker Engine API against an engine of a few lines."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_executor.deployers.docker.engine import (
    DockerEngine,
    EngineAddress,
    EngineError,
)

Answer = Callable[[web.Request], web.StreamResponse]


def told(status: int, body: Mapping[str, Any]) -> Answer:
    return lambda _: web.json_response(body, status=status)


def lines(*texts: str) -> Answer:
    return lambda _: web.Response(body="\r\n".join(texts).encode())


@asynccontextmanager
async def engine(
    folder: Path, answers: Mapping[str, Answer], *, version: str = "1.43"
) -> AsyncIterator[tuple[DockerEngine, list[str]]]:
    """Serve ``answers`` by the ends of paths; gives a client, and the requests that came."""
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path_qs}")
        if request.path == "/version":
            return web.json_response({"ApiVersion": version})
        for end, answer in answers.items():
            if request.path.endswith(end):
                return answer(request)
        return web.json_response({"message": "page not found"}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    socket = folder / "engine.sock"
    await web.UnixSite(runner, str(socket)).start()
    try:
        async with DockerEngine(EngineAddress(host=f"unix://{socket}")) as client:
            yield client, asked
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(("theirs", "spoken"), [("1.41", "v1.41"), ("1.99", "v1.47")])
async def test_the_newest_version_that_both_know_is_spoken(
    tmp_path: Path, theirs: str, spoken: str
) -> None:
    async with engine(tmp_path, {"/json": told(200, {"Id": "x"})}, version=theirs) as (
        client,
        asked,
    ):
        await client.image("demo:1")
    assert asked == ["GET /version", f"GET /{spoken}/images/demo:1/json"]


async def test_what_is_not_there_is_none_and_a_refusal_keeps_the_engine_s_words(
    tmp_path: Path,
) -> None:
    refusal = told(409, {"message": "the name is in use"})
    async with engine(tmp_path, {"/create": refusal}) as (client, _):
        assert await client.image("demo:1") is None
        assert await client.container("x") is None
        await client.stop("x", 1)
        await client.remove("x")
        with pytest.raises(EngineError, match="the name is in use") as caught:
            await client.create("a", {})
    assert caught.value.is_conflict


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("pull access denied for demo", Code.PERMISSION_DENIED),
        ("unauthorized: authentication required", Code.PERMISSION_DENIED),
        ("manifest for demo:9 not found: manifest unknown", Code.NOT_FOUND),
        ("dial tcp: connection refused", Code.UNAVAILABLE),
    ],
)
async def test_a_pull_that_fails_in_its_midst_says_why(
    tmp_path: Path, words: str, code: Code
) -> None:
    said = lines('{"status": "Pulling"}', f'{{"error": "{words}"}}')
    seen: list[Mapping[str, Any]] = []
    async with engine(tmp_path, {"/images/create": said}) as (client, _):
        with pytest.raises(HourglassError, match="demo:9 can not be pulled") as caught:
            await client.pull("demo:9", "", seen.append)
    assert caught.value.code is code
    assert seen == [{"status": "Pulling"}]


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (500, "Get http://r/v2/: no basic auth credentials", Code.PERMISSION_DENIED),
        (404, "manifest for demo:9 not found", Code.NOT_FOUND),
        (500, "Get http://r/v2/: dial tcp: connection refused", Code.UNAVAILABLE),
    ],
)
async def test_a_pull_that_is_refused_at_once_says_why(
    tmp_path: Path, status: int, words: str, code: Code
) -> None:
    answers = {"/images/create": told(status, {"message": words})}
    async with engine(tmp_path, answers) as (client, _):
        with pytest.raises(HourglassError, match="demo:9 can not be pulled") as caught:
            await client.pull("demo:9", "")
    assert caught.value.code is code


async def test_containers_are_asked_for_by_all_of_their_labels(tmp_path: Path) -> None:
    told_labels = lambda request: web.json_response([{"Id": request.query["filters"]}])  # noqa: E731
    async with engine(tmp_path, {"/containers/json": told_labels}) as (client, _):
        (found,) = await client.containers("a=1", "b=2")
    assert found["Id"] == '{"label": ["a=1", "b=2"]}'


async def test_events_come_one_by_one(tmp_path: Path) -> None:
    said = lines('{"Action": "start"}', '{"Action": "die"}')
    async with engine(tmp_path, {"/events": said}) as (client, asked):
        found = [event["Action"] async for event in client.events("a=b", 1.5)]
    assert found == ["start", "die"]
    assert "since=1.500000000" in asked[-1]


@pytest.mark.parametrize("cut", ['{"Action": "st', '{"Action": "die"}\n{"Act'])
async def test_a_line_that_is_cut_is_an_engine_that_went_away(tmp_path: Path, cut: str) -> None:
    async with engine(tmp_path, {"/events": lines('{"Action": "start"}', cut)}) as (client, _):
        with pytest.raises(HourglassError, match="gives no answer") as caught:
            async for _ in client.events("a=b", 1.5):
                pass
    assert caught.value.code is Code.UNAVAILABLE


def frame(data: bytes, kind: int = 1) -> bytes:
    return bytes((kind, 0, 0, 0)) + len(data).to_bytes(4) + data


def body(content: bytes) -> Answer:
    return lambda _: web.Response(body=content)


async def test_output_comes_frame_by_frame_from_a_moment_on(tmp_path: Path) -> None:
    said = body(frame(b"1 out\n") + frame(b"2 err\n", 2) + frame(b""))
    async with engine(tmp_path, {"/logs": said}) as (client, asked):
        found = [each async for each in client.follow_output("c", "1.000000002")]
        _ = [each async for each in client.follow_output("c", "")]
    assert found == [b"1 out\n", b"2 err\n", b""]
    assert "since=1.000000002" in asked[-2]
    assert "since" not in asked[-1]
    assert "timestamps=true" in asked[-1]


@pytest.mark.parametrize("content", [frame(b"whole")[:-1], b"\1\0\0", b"plain text of a terminal"])
async def test_output_that_is_cut_or_not_in_frames_is_told(tmp_path: Path, content: bytes) -> None:
    async with engine(tmp_path, {"/logs": body(content)}) as (client, _):
        with pytest.raises(HourglassError, match="follow output"):
            async for _ in client.follow_output("c", ""):
                pass


async def test_a_removal_that_somebody_else_has_begun_is_waited_for(tmp_path: Path) -> None:
    answers = {
        "/containers/c": told(409, {"message": "removal of container c is already in progress"}),
        "/containers/c/wait": told(200, {"StatusCode": 0}),
    }
    async with engine(tmp_path, answers) as (client, asked):
        await client.remove("c")
    assert asked[-1] == "POST /v1.43/containers/c/wait?condition=removed"


async def test_after_its_end_a_client_says_so_instead_of_failing_oddly(tmp_path: Path) -> None:
    async with engine(tmp_path, {}) as (client, _):
        pass
    with pytest.raises(HourglassError, match="is closed here") as caught:
        await client.containers("a=b")
    assert caught.value.code is Code.UNAVAILABLE


async def test_an_engine_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    async with DockerEngine(EngineAddress(host=f"unix://{tmp_path}/none.sock")) as client:
        with pytest.raises(HourglassError, match="gives no answer") as caught:
            await client.containers("a=b")
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.retry_after
    assert "DOCKER_HOST" in caught.value.hint


@pytest.mark.parametrize(
    ("environ", "host", "tls"),
    [
        ({}, "unix:///var/run/docker.sock", None),
        ({"DOCKER_HOST": "tcp://h:2375"}, "tcp://h:2375", None),
        (
            {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"},
            "tcp://h:2376",
            Path("/c"),
        ),
        (
            {"DOCKER_TLS_VERIFY": "1", "HOME": "/h"},
            "unix:///var/run/docker.sock",
            Path("/h/.docker"),
        ),
    ],
)
def test_the_environment_names_the_engine(
    environ: dict[str, str], host: str, tls: Path | None
) -> None:
    assert EngineAddress.of_environment(environ) == EngineAddress(host=host, tls_directory=tls)


async def test_an_address_of_no_engine_is_refused() -> None:
    with pytest.raises(HourglassError) as caught:
        async with DockerEngine(EngineAddress(host="ssh://somewhere")):
            pass
    assert caught.value.code is Code.INVALID_ARGUMENT
