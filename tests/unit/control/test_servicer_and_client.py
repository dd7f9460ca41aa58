"""The client and the servicer over a real socket, with a port that a test plays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from eigenlayer.hourglass.control.v1 import control_pb2
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import (
    Creation,
    EventKind,
    Filter,
    PerformerPage,
    PerformerView,
    WatchEvent,
)
from hourglass_services.control.servicer import PerformerControlServicer
from hourglass_services.rpc.validation import validate

from tests.support.rpc_echo import served

SPEC = {"avsAddress": "0xAB", "image": "demo:1"}


def view(name: str = "a", namespace: str = "default") -> PerformerView:
    return PerformerView({"metadata": {"namespace": namespace, "name": name}, "spec": SPEC})


class Played:
    """Implements ``PerformerControlPort``: remembers what was asked, answers from a script."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.scripts: list[list[WatchEvent | HourglassError]] = []

    async def create(self, creation: Creation) -> PerformerView:
        self.asked.append(creation)
        return view(creation.name, creation.namespace)

    async def get(self, namespace: str, name: str) -> PerformerView:
        self.asked.append((namespace, name))
        return view(name, namespace)

    async def list(self, wanted: Filter, page_size: int, page_token: str) -> PerformerPage:
        self.asked.append((wanted, page_size, page_token))
        return PerformerPage((view("a"), view("b")), "more")

    async def delete(self, namespace: str, name: str, etag: str, uid: str = "") -> None:
        self.asked.append((namespace, name, etag, uid))
        raise HourglassError(Code.NOT_FOUND, "none there", reason="PERFORMER_NOT_FOUND")

    async def watch(self, wanted: Filter, resume_token: str) -> AsyncIterator[WatchEvent]:
        self.asked.append((wanted, resume_token))
        for step in self.scripts.pop(0):
            if isinstance(step, HourglassError):
                raise step
            yield step


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Played, PerformerControlClient, grpc.aio.Channel]]:
    port = Played()
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
    assert port.asked == [("default", "a"), (Filter(avs="0xab"), 500, "")]
    assert [v.manifest["metadata"]["name"] for v in page.performers] == ["a", "b"]
    assert page.next_page_token == "more"


async def test_deleting_what_is_not_there_is_an_error_unless_that_is_allowed() -> None:
    async with pair() as (port, client, channel):
        with pytest.raises(HourglassError) as caught:
            await client.delete("ns", "a", etag="7", uid="u")
        call = channel.unary_unary(
            "/eigenlayer.hourglass.control.v1.PerformerControl/DeletePerformer",
            request_serializer=control_pb2.DeletePerformerRequest.SerializeToString,
            response_deserializer=control_pb2.DeletePerformerResponse.FromString,
        )
        await call(control_pb2.DeletePerformerRequest(name="a", allow_missing=True), timeout=5)
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.reason == "PERFORMER_NOT_FOUND"
    assert port.asked[0] == ("ns", "a", "7", "u")


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
