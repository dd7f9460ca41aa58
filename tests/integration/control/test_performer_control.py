"""PerformerControl on a real API server: what it does is seen there, and the other way round."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.resources import (
    ENDPOINT_SLICES,
    PERFORMERS,
    PODS,
    Manifest,
)
from hourglass_services.control.port import Creation, EventKind, Filter, PerformerView, WatchEvent

from tests.support.control_pair import SPEC, Pair, control

pytestmark = pytest.mark.real_api

SERVICE = "eigenlayer.hourglass.control.v1.PerformerControl"


def names(views: tuple[PerformerView, ...]) -> list[str]:
    return [view.manifest["metadata"]["name"] for view in views]


async def events(
    pair: Pair, wanted: Filter | None = None, token: str = ""
) -> AsyncIterator[WatchEvent]:
    async with asyncio.timeout(20):
        watching = pair.client.watch(wanted or Filter(namespace=pair.namespace), token)
        async with aclosing(watching) as stream:  # type: ignore[type-var]
            async for event in stream:
                yield event


async def until(stream: AsyncIterator[WatchEvent], kind: EventKind) -> WatchEvent:
    async for event in stream:
        if event.kind is kind:
            return event
    raise AssertionError(f"no {kind}")


async def test_a_created_performer_is_an_object_and_is_read_back_at_once(pair: Pair) -> None:
    made = await pair.client.create(pair.creation("a", labels={"team": "x"}))
    found = await pair.kube.get(PERFORMERS, pair.namespace, "a")
    assert found["spec"]["avsAddress"] == "0xAbC"
    assert found["metadata"]["labels"] == {"team": "x"}
    assert {f["manager"] for f in found["metadata"]["managedFields"]} == {"hourglass-control"}
    assert made.manifest["metadata"]["uid"] == found["metadata"]["uid"]
    read = await pair.client.get(pair.namespace, "a")
    assert read.manifest["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]


async def test_a_repeated_request_answers_with_what_the_first_made(pair: Pair) -> None:
    first = await pair.client.create(pair.creation("a", request_id="r1"))
    again = await pair.client.create(pair.creation("a", request_id="r1"))
    assert again.manifest["metadata"]["uid"] == first.manifest["metadata"]["uid"]
    with pytest.raises(HourglassError) as other_content:
        await pair.client.create(
            pair.creation("a", request_id="r1", spec={**SPEC, "image": "demo:2"})
        )
    assert other_content.value.reason == "REQUEST_ID_REUSED"
    with pytest.raises(HourglassError) as other_request:
        await pair.client.create(pair.creation("a", request_id="r2"))
    assert other_request.value.code is Code.ALREADY_EXISTS
    assert other_request.value.reason == "PERFORMER_EXISTS"
    assert other_request.value.metadata["resourceName"] == f"{pair.namespace}/a"


async def test_validating_only_checks_all_and_creates_nothing(pair: Pair) -> None:
    await pair.client.create(pair.creation("a", validate_only=True))
    with pytest.raises(HourglassError) as caught:
        await pair.kube.get(PERFORMERS, pair.namespace, "a")
    assert caught.value.code is Code.NOT_FOUND


async def test_what_the_api_refuses_is_told_by_the_field_of_the_request(pair: Pair) -> None:
    spec = {**SPEC, "resources": {"requests": {"cpu": "a lot"}}}
    with pytest.raises(HourglassError) as caught:
        await pair.client.create(pair.creation("a", spec=spec))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert any(v.field.startswith("spec.resources") for v in caught.value.violations)


async def test_an_unknown_namespace_is_not_found(pair: Pair) -> None:
    creation = Creation(namespace="there-is-none", name="a", spec=SPEC)
    with pytest.raises(HourglassError) as caught:
        await pair.client.create(creation)
    assert caught.value.code is Code.NOT_FOUND
    assert "there-is-none" in caught.value.message


async def test_a_list_comes_in_pages_and_by_avs_in_any_case(pair: Pair) -> None:
    for name in ("c", "a", "b"):
        await pair.client.create(pair.creation(name))
    await pair.client.create(pair.creation("z", spec={**SPEC, "avsAddress": "0xother"}))
    wanted = Filter(namespace=pair.namespace, avs="0xABC")
    first = await pair.client.list(wanted, page_size=2)
    assert names(first.performers) == ["a", "b"]
    second = await pair.client.list(wanted, page_size=2, page_token=first.next_page_token)
    assert names(second.performers) == ["c"]
    assert second.next_page_token == ""
    with pytest.raises(HourglassError) as caught:
        await pair.client.list(wanted, page_token="garbage")
    assert caught.value.code is Code.INVALID_ARGUMENT


async def test_a_deleted_performer_is_gone_at_once_and_only_that_version(pair: Pair) -> None:
    made = await pair.client.create(pair.creation("a"))
    uid, etag = (made.manifest["metadata"][key] for key in ("uid", "resourceVersion"))
    for wrong in ({"aim": pair.aim("a", etag="1")}, {"aim": pair.aim("a"), "uid": "another"}):
        with pytest.raises(HourglassError) as caught:
            await pair.client.delete(**wrong)
        assert caught.value.code is Code.ABORTED
    await pair.client.delete(pair.aim("a", etag=etag), uid=uid)
    for _ in range(2):
        with pytest.raises(HourglassError) as gone:
            await pair.client.get(pair.namespace, "a")
        assert gone.value.code is Code.NOT_FOUND
    with pytest.raises(HourglassError) as caught:
        await pair.client.delete(pair.aim("a"))
    assert caught.value.reason == "PERFORMER_NOT_FOUND"


async def test_a_watch_tells_what_is_there_and_then_what_others_change(pair: Pair) -> None:
    await pair.client.create(pair.creation("a"))
    async with aclosing(events(pair)) as stream:  # type: ignore[type-var]
        assert (await until(stream, EventKind.ADDED)).performer is not None
        await until(stream, EventKind.SNAPSHOT_DONE)
        await pair.kube.merge_patch(PERFORMERS, pair.namespace, "a", {"spec": {"image": "demo:2"}})
        changed = await until(stream, EventKind.MODIFIED)
        assert changed.performer is not None
        assert changed.performer.manifest["spec"]["image"] == "demo:2"
        await pair.kube.delete(PERFORMERS, pair.namespace, "a")
        deleted = await until(stream, EventKind.DELETED)
        assert deleted.performer is not None


async def test_a_token_resumes_here_and_begins_anew_on_a_replica_that_came_later(
    pair: Pair,
) -> None:
    await pair.client.create(pair.creation("a"))
    async with aclosing(events(pair)) as stream:  # type: ignore[type-var]
        token = (await until(stream, EventKind.SNAPSHOT_DONE)).resume_token
    await pair.client.create(pair.creation("b"))
    await pair.client.delete(pair.aim("a"))
    async with aclosing(events(pair, token=token)) as stream:  # type: ignore[type-var]
        resumed = [await anext(stream), await anext(stream)]
    assert [event.kind for event in resumed] == [EventKind.ADDED, EventKind.DELETED]
    async with control(pair.kube, pair.namespace) as replica:
        # Its first call fixes where its history begins; the old token is from before that.
        async with aclosing(events(replica, token=token)) as stream:  # type: ignore[type-var]
            told = [await anext(stream) for _ in range(3)]
        assert [event.kind for event in told] == [
            EventKind.RESYNC,
            EventKind.ADDED,
            EventKind.SNAPSHOT_DONE,
        ]
        await replica.client.create(pair.creation("c"))
        async with aclosing(events(replica, token=told[-1].resume_token)) as stream:  # type: ignore[type-var]
            assert (await anext(stream)).kind is EventKind.ADDED


async def test_endpoints_come_from_every_slice_with_its_own_port(pair: Pair) -> None:
    await pair.client.create(pair.creation("a"))
    await pair.kube.create(PODS, pair.namespace, pod("a-1", revision="a-123"))
    await pair.kube.create(ENDPOINT_SLICES, pair.namespace, endpoint_slice("a-1", 7001))
    await pair.kube.create(ENDPOINT_SLICES, pair.namespace, endpoint_slice("a-2", 7002))
    async with aclosing(events(pair)) as stream:  # type: ignore[type-var]
        async for event in stream:
            if event.performer is not None and len(event.performer.endpoints) == 2:
                first, second = event.performer.endpoints
                break
    assert (first.instance, first.address, first.revision) == ("a-1", "10.0.0.1:7001", "a-123")
    assert (second.instance, second.address, second.ready) == ("a-2", "10.0.0.1:7002", True)
    drained = {"metadata": {"labels": {"hourglass.eigenlayer.io/serving": "false"}}}
    await pair.kube.merge_patch(PODS, pair.namespace, "a-1", drained)
    async with aclosing(events(pair)) as stream:  # type: ignore[type-var]
        async for event in stream:
            if event.performer and event.performer.endpoints[0].role is Role.DRAINING:
                break


async def test_grpcurl_lists_describes_and_calls_by_reflection(pair: Pair) -> None:
    program = grpcurl()
    await pair.client.create(pair.creation("a"))
    listed = await run(program, "-plaintext", pair.address, "list")
    assert {SERVICE, "grpc.health.v1.Health"} <= set(listed.split())
    described = await run(program, "-plaintext", pair.address, "describe", SERVICE)
    assert "rpc WatchPerformers" in described
    question = json.dumps({"namespace": pair.namespace, "name": "a"})
    call = ("-plaintext", "-d", question, pair.address, f"{SERVICE}/GetPerformer")
    answer = json.loads(await run(program, *call))
    assert answer["performer"]["spec"]["avsAddress"] == "0xAbC", answer
    health = await run(program, "-plaintext", pair.address, "grpc.health.v1.Health/Check")
    assert json.loads(health) == {"status": "SERVING"}


def grpcurl() -> str:
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    found = shutil.which("grpcurl", path=os.pathsep.join((assets, os.environ.get("PATH", ""))))
    if found is None:
        pytest.skip("grpcurl is neither in KUBEBUILDER_ASSETS nor in PATH")
    return str(Path(found))


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def pod(name: str, *, revision: str) -> Manifest:
    marks = {
        "hourglass.eigenlayer.io/performer": "a",
        "hourglass.eigenlayer.io/revision": revision,
        "hourglass.eigenlayer.io/serving": "true",
    }
    container = {"name": "performer", "image": "demo:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": marks},
        "spec": {
            "containers": [container],
            "automountServiceAccountToken": False,
        },
    }


def endpoint_slice(pod_name: str, port: int) -> Manifest:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"performer-{pod_name}",
            "labels": {"kubernetes.io/service-name": "performer-a"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "grpc", "port": port}],
        "endpoints": [
            {
                "addresses": ["10.0.0.1"],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod_name},
            }
        ],
    }
