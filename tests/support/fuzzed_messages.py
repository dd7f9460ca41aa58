"""Requests at random, from the descriptors: near to sense, far from it, and no message at all."""

import random
from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_WORDS = (
    "",
    "a",
    "demo",
    "demo-1",
    "default",
    "kube-system",
    "0xab",
    "Ä",
    "a" * 64,
    "a" * 300,
    "../../x",
    "a/b",
    "a b",
    "\x00",
    "\u202e",
    "'\"\\`{}",
    "%s%n",
    "-1",
    "1" * 40,
    "true",
    "null",
    "500m",
    "1Gi",
    "25%",
    "RollingUpdate",
    "BlueGreen",
    "IfNotPresent",
    "NoSchedule",
    "Promote",
    "demo:1",
    "spec.image",
    "spec",
    "*",
    "labels.`a.b/c`",
    "status.phase = Running",
    "NOT (a OR b",
    "1.2.3",
)
_INTEGERS = (0, 1, -1, 2, 80, 9090, 65535, 2**31 - 1, -(2**31))
_WIDE = (0, 1, -1, 2**63 - 1, -(2**63), 10**12)
_DEEPEST = 6


def message(rng: random.Random, descriptor: Descriptor, depth: int = 0) -> Message:
    """Return a message with some of its fields set."""
    made: Message = GetMessageClass(descriptor)()
    density = rng.choice((0.15, 0.5, 0.9)) if depth == 0 else 0.4
    for field in descriptor.fields:
        if rng.random() < density and depth < _DEEPEST:
            _fill(rng, made, field, depth)
    return made


def _fill(rng: random.Random, made: Any, field: FieldDescriptor, depth: int) -> None:
    target = getattr(made, field.name)
    if _is_map(field):
        assert field.message_type is not None
        key, value = field.message_type.fields
        for _ in range(rng.randint(1, 3)):
            if value.message_type is not None:
                target[_scalar(rng, key)].CopyFrom(message(rng, value.message_type, depth + 1))
            else:
                target[_scalar(rng, key)] = _scalar(rng, value)
    elif field.is_repeated:
        for _ in range(rng.randint(1, 3)):
            if field.message_type is not None:
                target.add().CopyFrom(message(rng, field.message_type, depth + 1))
            else:
                target.append(_scalar(rng, field))
    elif field.message_type is not None:
        target.CopyFrom(message(rng, field.message_type, depth + 1))
    else:
        setattr(made, field.name, _scalar(rng, field))


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _scalar(rng: random.Random, field: FieldDescriptor) -> Any:
    makers: Mapping[int, Any] = {
        FieldDescriptor.CPPTYPE_STRING: lambda: rng.choice(_WORDS),
        FieldDescriptor.CPPTYPE_BOOL: lambda: rng.random() < 0.5,
        FieldDescriptor.CPPTYPE_INT32: lambda: rng.choice(_INTEGERS),
        FieldDescriptor.CPPTYPE_INT64: lambda: rng.choice(_WIDE),
        FieldDescriptor.CPPTYPE_DOUBLE: lambda: rng.choice((0.0, -1.5, 1e308, float("nan"))),
        FieldDescriptor.CPPTYPE_ENUM: lambda: rng.choice((0, 1, 99)),
    }
    return makers[field.cpp_type]()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes with some of them changed, cut off, or doubled."""
    found = bytearray(data or b"\x0a")
    for _ in range(rng.randint(1, 8)):
        match rng.randrange(4):
            case 0:
                found[rng.randrange(len(found))] = rng.randrange(256)
            case 1:
                del found[rng.randrange(len(found)) :]
            case 2:
                found[0:0] = rng.randbytes(rng.randint(1, 16))
            case _:
                found += found[: rng.randint(0, 64)]
        found = found or bytearray(b"\xff")
    return bytes(found)
