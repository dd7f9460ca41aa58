"""The client and the servicer over a real socket, with a port that a test plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from hourglass_common.domain.drain_report import DrainReport
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import (
    Act,
    Aim,
    Creation,
    EventKind,
    Filter,
    LogQuery,
    Masked,
    WatchEvent,
)
from hourglass_services.control.servicer import PerformerControlServicer
from hourglass_services.rpc.validation import validate

from tests.support.manual_clock import ManualClock
from tests.support.played_control import (
    EXPLANATION,
    LINES,
    REVISION,
    SPEC,
    PlayedControl,
    view,
)
from tests.support.rpc_echo import served


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[PlayedControl, PerformerControlClient, grpc.aio.Channel]]:
    port = PlayedControl()
    async with served(PerformerControlServicer(port)) as (_, channel):
        yield port, PerformerControlClient(channel), channel


async def test_a_creation_arrives_as_it_was_sent() -> None:
    creation = Creation(
        namespace="ns", name="a", spec=SPEC, labels={"x": "y"}, request_id="r1", validate_only=True
    )
    async with pair() as (port, client, _):
        made = await client.create(creation)
    assert port.asked == [creation]
    assert made.manifest["spec"] == SPEC


async def test_an_unset_namespace_is_the_default_one_except_in_a_list() -> None:
    async with pair() as (port, client, _):
        await client.get("", "a")
        page = await client.list(Filter(avs="0xab"))
    assert port.asked == [("default", "a"), (Filter(avs="0xab"), 500, "", "")]
    assert [v.manifest["metadata"]["name"] for v in page.performers] == ["a", "b"]
    assert page.next_page_token == "more"


AIM = Aim(namespace="ns", name="a", etag="7", request_id="r1", validate_only=True)


async def test_every_act_arrives_with_all_that_was_said_of_it() -> None:
    async with pair() as (port, client, _):
        for act in Act:
            revision = "abc" if act in (Act.PROMOTE, Act.ABORT, Act.ROLLBACK) else ""
            await client.act(act, AIM, revision)
            assert port.asked.pop() == (act, AIM, revision)
        scaled = await client.scale(AIM, 3)
        assert port.asked.pop() == (AIM, 3)
        assert scaled.manifest["spec"]["replicas"] == 3
        drained = await client.drain(AIM)
        assert port.asked.pop() == AIM
        assert (drained.in_flight, drained.lost) == ("0", "unknown")


async def test_an_update_arrives_with_its_fields_and_keys_that_have_dots() -> None:
    paths = (("metadata", "labels", "a.b/c"), ("spec", "config", "environment", "A"))
    manifest = {
        "metadata": {"labels": {"a.b/c": "x"}},
        "spec": {"config": {"environment": {"A": "1"}}},
    }
    async with pair() as (port, client, _):
        await client.update(AIM, Masked(manifest, paths))
    assert port.asked == [(AIM, Masked(manifest, paths))]


async def test_explanations_revisions_and_lines_come_back_as_they_were_given() -> None:
    async with pair() as (_, client, _):
        assert await client.explain("ns", "a") == EXPLANATION
        assert await client.list_revisions("ns", "a") == (REVISION,)
        query = LogQuery(namespace="ns", name="a", tail_lines=0, since_seconds=1.5, follow=True)
        assert [line async for line in client.logs(query)] == list(LINES)


async def test_a_log_query_arrives_as_it_was_asked() -> None:
    query = LogQuery(
        namespace="ns",
        name="a",
        revision="abc",
        instance="a-1",
        follow=True,
        tail_lines=0,
        since_seconds=1.5,
        previous=True,
    )
    async with pair() as (port, client, _):
        _ = [line async for line in client.logs(query)]
    assert port.asked == [query]


async def test_a_drain_report_holds_as_long_as_was_said_from_the_servers_own_time() -> None:
    now = ManualClock().wall()
    theirs = now - timedelta(hours=5)
    report = DrainReport(
        executor="e",
        revision="abc",
        in_flight=2,
        lost=1,
        renewed_at=theirs,
        valid_until=theirs + timedelta(seconds=20),
        instances={"a-1": 2},
    )
    port = PlayedControl()
    async with served(PerformerControlServicer(port, ManualClock())) as (_, channel):
        await PerformerControlClient(channel).report_drain("ns", "a", "u", "e", [report])
    until = now + timedelta(seconds=20)
    arrived = replace(report, renewed_at=now, valid_until=until)
    assert port.asked == [("ns", "a", "u", "e", (arrived,))]


async def test_a_read_mask_leaves_out_all_else() -> None:
    async with pair() as (_, _, channel):
        call = channel.unary_unary(
            "/eigenlayer.hourglass.control.v1.PerformerControl/ListPerformers",
            request_serializer=control_pb2.ListPerformersRequest.SerializeToString,
            response_deserializer=control_pb2.ListPerformersResponse.FromString,
        )
        mask = FieldMask(paths=["name", "spec.image"])
        answer = await call(control_pb2.ListPerformersRequest(read_mask=mask), timeout=5)
    spec = control_pb2.PerformerSpec(image="demo:1")
    assert list(answer.performers) == [
        control_pb2.Performer(name=name, spec=spec) for name in ("a", "b")
    ]


async def test_an_update_that_names_another_performer_inside_is_refused() -> None:
    async with pair() as (_, _, channel):
        call = channel.unary_unary(
            "/eigenlayer.hourglass.control.v1.PerformerControl/UpdatePerformer",
            request_serializer=control_pb2.UpdatePerformerRequest.SerializeToString,
            response_deserializer=control_pb2.UpdatePerformerResponse.FromString,
        )
        other = control_pb2.UpdatePerformerRequest(
            name="a", performer=control_pb2.Performer(name="b")
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(other)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "performer.name" in str(caught.value.details())


async def test_deleting_what_is_not_there_is_an_error_unless_that_is_allowed() -> None:
    async with pair() as (port, client, channel):
        with pytest.raises(HourglassError) as caught:
            await client.delete(Aim(namespace="ns", name="a", etag="7"), uid="u", force=True)
        call = channel.unary_unary(
            "/eigenlayer.hourglass.control.v1.PerformerControl/DeletePerformer",
            request_serializer=control_pb2.DeletePerformerRequest.SerializeToString,
            response_deserializer=control_pb2.DeletePerformerResponse.FromString,
        )
        await call(control_pb2.DeletePerformerRequest(name="a", allow_missing=True), timeout=5)
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.reason == "PERFORMER_NOT_FOUND"
    assert port.asked[0] == (Aim(namespace="ns", name="a", etag="7"), "u", True)


@pytest.mark.parametrize(
    ("creation", "field"),
    [
        (Creation(namespace="ns", name="", spec=SPEC), "name"),
        (Creation(namespace="ns", name="a" * 254, spec=SPEC), "name"),
        (Creation(namespace="N S", name="a", spec=SPEC), "namespace"),
        (Creation(namespace="ns", name="a", spec=SPEC, request_id="a b"), "request_id"),
        (Creation(namespace="ns", name="a", spec={**SPEC, "replica": 1}), "spec"),
        (Creation(namespace="ns", name="a", spec={**SPEC, "replicas": "two"}), "spec"),
        (Creation(namespace="ns", name="a", spec={**SPEC, "resources": "none"}), "spec"),
    ],
)
async def test_a_request_that_is_none_is_refused_by_its_path(
    creation: Creation, field: str
) -> None:
    async with pair() as (port, client, _):
        with pytest.raises(HourglassError) as caught:
            await client.create(creation)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert [violation.field for violation in caught.value.violations] == [field]
    assert caught.value.violations[0].description
    assert port.asked == []


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"avsAddress": "", "image": ""},
        {"replicas": -1},
        {"imagePullPolicy": "Sometimes"},
        {"config": {"grpcPort": 0}},
        {"config": {"environment": {"=": ""}}},
        {"config": {"environmentFrom": [{"name": "X", "valueFrom": {}}]}},
        {"scheduling": {"tolerations": [{"tolerationSeconds": -1}]}},
        {"health": {"periodSeconds": 0}},
        {"strategy": {"type": "Canary", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "x"}}},
    ],
    ids=str,
)
async def test_what_a_spec_may_say_is_left_to_the_resource(spec: dict[str, Any]) -> None:
    """Its schema has the words for it; rules of the message would say the same in others."""
    async with pair() as (port, client, _):
        await client.create(Creation(namespace="ns", name="a", spec=spec))
    (asked,) = port.asked
    assert isinstance(asked, Creation)
    assert asked.spec == spec


def test_all_bad_fields_are_told_at_once() -> None:
    with pytest.raises(HourglassError) as caught:
        validate(control_pb2.ListPerformersRequest(namespace="x" * 64, page_size=-1))
    assert {v.field for v in caught.value.violations} == {"namespace", "page_size"}


async def test_a_watch_that_breaks_is_resumed_from_its_last_token() -> None:
    away = HourglassError(Code.UNAVAILABLE, "going down")
    first: list[WatchEvent | HourglassError] = [
        WatchEvent(EventKind.ADDED, view("a"), ""),
        WatchEvent(EventKind.SNAPSHOT_DONE, None, "5.5.5"),
        WatchEvent(EventKind.BOOKMARK, None, "6.6.6"),
        WatchEvent(EventKind.MODIFIED, view("a"), ""),
        away,
    ]
    second: list[WatchEvent | HourglassError] = [WatchEvent(EventKind.DELETED, view("a"), "9.9.9")]
    refusal: list[WatchEvent | HourglassError] = [HourglassError(Code.PERMISSION_DENIED, "not you")]
    async with pair() as (port, client, _):
        port.scripts = [first, second, refusal]
        stream = client.watch(Filter(namespace="ns"))
        kinds = [(await anext(stream)).kind for _ in range(4)]
        with pytest.raises(HourglassError) as caught:
            await anext(stream)
    assert kinds == [
        EventKind.ADDED,
        EventKind.SNAPSHOT_DONE,
        EventKind.MODIFIED,
        EventKind.DELETED,
    ]
    assert port.asked == [
        (Filter(namespace="ns"), ""),
        (Filter(namespace="ns"), "6.6.6"),
        (Filter(namespace="ns"), "9.9.9"),
    ]
    assert caught.value.code is Code.PERMISSION_DENIED


async def test_a_watch_cut_off_in_its_first_snapshot_says_that_it_begins_again() -> None:
    away = HourglassError(Code.UNAVAILABLE, "going down")
    async with pair() as (port, client, _):
        port.scripts = [
            [WatchEvent(EventKind.ADDED, view("a"), ""), away],
            [WatchEvent(EventKind.SNAPSHOT_DONE, None, "5.5.5")],
        ]
        kinds = []
        async for event in client.watch(Filter()):
            kinds.append(event.kind)
            if event.kind is EventKind.SNAPSHOT_DONE:
                break
    assert kinds == [EventKind.ADDED, EventKind.RESYNC, EventKind.SNAPSHOT_DONE]
