"""Manifests are read as protobuf's own JSON reads them, whatever is in them."""

from typing import Any

from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hourglass_services.control.from_json import parse
from hypothesis import given
from hypothesis import strategies as st

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1", "-1", "1.0", "2026-01-01T00:00:00Z", [], {}, [None], {"a": None}]),
)
_OWN: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: st.text(max_size=5),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
}


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    kind = field.message_type
    if kind is None:
        own = _OWN[field.cpp_type]
    elif kind.GetOptions().map_entry:
        return st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
    elif kind.full_name == "google.protobuf.Timestamp":
        own = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+01:00"])
    elif kind.full_name == "google.protobuf.Value":
        own = st.sampled_from([1, "25%", {"a": [1]}])
    elif kind.full_name == "google.protobuf.Struct":
        own = st.sampled_from([{}, {"a": {"b": [1, None, "x"]}}])
    else:
        own = messages(kind)
    return st.lists(own, max_size=2) if field.is_repeated else own


def messages(kind: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={f.json_name: values(f) for f in kind.fields})


def with_oddities(value: Any, data: st.DataObject) -> Any:
    """Put something else in one place."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: with_oddities(value[key], data)}
    return data.draw(ODD)


def by_protobuf(value: Any, message: Message) -> Message | None:
    try:
        json_format.ParseDict(dict(value), message, ignore_unknown_fields=True)
    except json_format.ParseError:
        return None
    return message


def by_us(value: Any, message: Message) -> Message | None:
    try:
        parse(value, message)
    except json_format.ParseError:
        return None
    return message


@given(messages(control_pb2.PerformerSpec.DESCRIPTOR), st.data())
def test_a_spec_is_read_as_protobuf_reads_it(value: dict[str, Any], data: st.DataObject) -> None:
    make = control_pb2.PerformerSpec
    assert by_us(value, make()) == by_protobuf(value, make()) is not None
    odd = with_oddities(value, data)
    if isinstance(odd, dict):
        assert by_us(odd, make()) == by_protobuf(odd, make())


@given(messages(control_pb2.PerformerStatus.DESCRIPTOR), st.data())
def test_a_status_is_read_as_protobuf_reads_it(value: dict[str, Any], data: st.DataObject) -> None:
    make = control_pb2.PerformerStatus
    value["unknown"] = {"of": "a newer operator"}
    assert by_us(value, make()) == by_protobuf(value, make()) is not None
    odd = with_oddities(value, data)
    if isinstance(odd, dict):
        assert by_us(odd, make()) == by_protobuf(odd, make())
