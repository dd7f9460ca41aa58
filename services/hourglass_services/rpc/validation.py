"""protovalidate's verdict on a request, as our error."""

from typing import Any

import protovalidate
from google.protobuf.message import Message
from hourglass_common.domain.errors import Code, FieldViolation, HourglassError


def validate(request: Message) -> None:
    """Raise INVALID_ARGUMENT, naming every bad field, if a rule of its .proto is broken."""
    try:
        protovalidate.validate(request)
    except protovalidate.ValidationError as exc:
        violations = tuple(
            FieldViolation(_path(found.proto.field), found.proto.message)
            for found in exc.violations
        )
        text = "; ".join(
            f"{v.field}: {v.description}" if v.field else v.description for v in violations
        )
        raise HourglassError(
            Code.INVALID_ARGUMENT, text, reason="INVALID_REQUEST", violations=violations
        ) from exc


def _path(field: Any) -> str:
    parts: list[str] = []
    for element in field.elements if field is not None else ():
        subscript = element.subscript
        parts.append(element.field_name + ("" if subscript is None else _quoted(subscript.value)))
    return ".".join(parts)


def _quoted(index: Any) -> str:
    return f'["{index}"]' if isinstance(index, str) else f"[{index}]"
