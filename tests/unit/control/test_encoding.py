"""Answers put together from bytes say what the messages would."""

from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import json_format
from hourglass_common.domain.endpoint import Endpoint, Role
from hourglass_services.control.codec import event_to_proto, performer_to_proto
from hourglass_services.control.encoding import (
    encoded_performer,
    get_answer,
    list_answer,
    watch_answer,
)
from hourglass_services.control.port import EventKind, PerformerPage, PerformerView, WatchEvent


def view(name: str, note: str = "") -> PerformerView:
    endpoint = Endpoint(
        performer_id="ns/a", revision="r", instance="i", address="10.0.0.1:9090", role=Role.STAGED
    )
    manifest = {
        "metadata": {"namespace": "ns", "name": name, "uid": "u", "resourceVersion": "7"},
        "spec": {"avsAddress": "0xAb", "image": "demo:1", "config": {"environment": {"A": note}}},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    return PerformerView(manifest, (endpoint,))


def test_an_answer_with_one_performer_or_many_reads_as_the_message() -> None:
    views = (*(view("a", "x" * size) for size in range(0, 200, 20)), view("c", "ü" * 70_000))
    for token in ("", "ns/c"):
        page = list_answer(PerformerPage(views, token)).SerializeToString()
        wanted = control_pb2.ListPerformersResponse(
            performers=map(performer_to_proto, views), next_page_token=token
        )
        assert control_pb2.ListPerformersResponse.FromString(page) == wanted
    one = control_pb2.GetPerformerResponse.FromString(get_answer(views[-1]).SerializeToString())
    assert one.performer == performer_to_proto(views[-1])
    assert list_answer(PerformerPage((), "")).SerializeToString() == b""


def test_of_each_performer_only_the_wanted_fields_are_sent() -> None:
    wanted = (("name",), ("spec", "image"))
    views = (view("a"), view("b"))
    page = list_answer(PerformerPage(views, ""), wanted).SerializeToString()
    found = control_pb2.ListPerformersResponse.FromString(page).performers
    assert [json_format.MessageToDict(each) for each in found] == [
        {"name": name, "spec": {"image": "demo:1"}} for name in ("a", "b")
    ]
    one = control_pb2.GetPerformerResponse.FromString(
        get_answer(views[0], wanted).SerializeToString()
    )
    assert one.performer == found[0]
    assert encoded_performer(views[0]) == performer_to_proto(views[0]).SerializeToString()


def test_every_kind_of_event_reads_as_the_message() -> None:
    for kind in EventKind:
        for event in (WatchEvent(kind, None, ""), WatchEvent(kind, view("a"), "1.2.3")):
            read = control_pb2.WatchPerformersResponse.FromString(
                watch_answer(event).SerializeToString()
            )
            assert read == event_to_proto(event)


def test_a_performer_is_encoded_once_as_long_as_it_is_as_it_is() -> None:
    one = view("a")
    assert encoded_performer(one) is encoded_performer(one)
    assert one == view("a")
    assert "encoded" not in repr(one)
