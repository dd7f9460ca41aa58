"""Manifests into messages, for the many that hold nothing unusual: ten times as fast.

What means the same as ``json_format.ParseDict`` with unknown keys ignored is done here; a value of
any other type than the field's own is left to it, with its conversions and its words.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Put = Callable[[Any, Any], None]
"""Puts a JSON value into a message's field."""

_KINDS = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
}
_TIMESTAMP = "google.protobuf.Timestamp"
_WELL_KNOWN = "google.protobuf."


class _UnusualError(Exception):
    """This value is for ``json_format``."""


def parse(value: Mapping[str, Any], message: Message) -> None:
    """Fill an empty message. ``json_format.ParseError`` for a value that the field can not hold."""
    try:
        _fill(value, message)
    except (_UnusualError, TypeError, ValueError, json_format.ParseError):
        message.Clear()
        json_format.ParseDict(dict(value), message, ignore_unknown_fields=True)


def _fill(value: Any, message: Any) -> None:
    if not isinstance(value, Mapping):
        raise _UnusualError
    fields = _fields(message.DESCRIPTOR)
    for key, part in value.items():
        put = fields.get(key)
        if put is not None and part is not None:
            put(message, part)


@cache
def _fields(descriptor: Descriptor) -> dict[str, Put]:
    found: dict[str, Put] = {}
    for field in descriptor.fields:
        put = _put(field)
        found[field.name] = found[field.json_name] = put
    return found


def _put(field: FieldDescriptor) -> Put:
    kind: Descriptor | None = field.message_type
    if kind is None:
        own = _KINDS.get(field.cpp_type)
        if own is None or field.type == FieldDescriptor.TYPE_BYTES:
            return _unusual
        return _scalars(field.name, own) if field.is_repeated else _scalar(field.name, own)
    if kind.GetOptions().map_entry:
        entry = kind.fields_by_name
        texts = {entry["key"].cpp_type, entry["value"].cpp_type} == {FieldDescriptor.CPPTYPE_STRING}
        return _map(field.name) if texts else _unusual
    if kind.full_name == _TIMESTAMP and not field.is_repeated:
        return _timestamp(field.name)
    if kind.full_name.startswith(_WELL_KNOWN):
        return _free(field.name, repeated=field.is_repeated)
    return _messages(field.name) if field.is_repeated else _message(field.name)


def _unusual(_: Any, __: Any) -> None:
    raise _UnusualError


def _scalar(name: str, kind: type) -> Put:
    def put(message: Any, value: Any) -> None:
        if type(value) is not kind:
            raise _UnusualError
        setattr(message, name, value)

    return put


def _scalars(name: str, kind: type) -> Put:
    def put(message: Any, value: Any) -> None:
        if not isinstance(value, list) or any(type(each) is not kind for each in value):
            raise _UnusualError
        getattr(message, name).extend(value)

    return put


def _map(name: str) -> Put:
    def put(message: Any, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise _UnusualError
        if not all(type(each) is str for each in value.values()):
            raise _UnusualError
        getattr(message, name).update(value)

    return put


def _message(name: str) -> Put:
    def put(message: Any, value: Any) -> None:
        part = getattr(message, name)
        part.SetInParent()
        _fill(value, part)

    return put


def _messages(name: str) -> Put:
    def put(message: Any, value: Any) -> None:
        if not isinstance(value, list):
            raise _UnusualError
        parts = getattr(message, name)
        for each in value:
            _fill(each, parts.add())

    return put


def _timestamp(name: str) -> Put:
    def put(message: Any, value: Any) -> None:
        if type(value) is not str:
            raise _UnusualError
        getattr(message, name).FromJsonString(value)

    return put


def _free(name: str, *, repeated: bool) -> Put:
    """What has a JSON form of its own, as affinities have."""

    def put(message: Any, value: Any) -> None:
        part = getattr(message, name)
        if not repeated:
            part.SetInParent()
            json_format.ParseDict(value, part)
        elif isinstance(value, list):
            for each in value:
                json_format.ParseDict(each, part.add())
        else:
            raise _UnusualError

    return put
