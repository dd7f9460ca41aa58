"""What of a request may be written down, and what may not be repeated anywhere. Pure.

Values are recorded of fields that can hold no secret; of all others only that they are there.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

NOT_RECORDED = "(not recorded)"
_MOST = 64
_SHOWN = {
    "action",
    "avs_address",
    "decided_for_hash",
    "etag",
    "executor",
    "image",
    "image_pull_policy",
    "on_deadline",
    "priority_class_name",
    "profile",
    "request_id",
    "revision",
    "runtime_class",
    "service_account_name",
    "type",
    "uid",
    "version",
}
"""Strings that say what was done, and are no place for a secret."""
_ADDRESSED = {"namespace", "name"}
_SECRET = {"environment", "args", "command", "payload", "expected_output"}
"""Fields in which people put secrets: a task's content, and what a container is started with."""


def changes(request: Message) -> dict[str, Any]:
    """Return what a request sets, by the paths of its fields."""
    found: dict[str, Any] = {}
    for path, value in _recorded(request, ""):
        if path in _ADDRESSED:
            continue
        if len(found) == _MOST:
            found["..."] = "more"
            break
        found[path] = value
    return found


def secrets(request: Message) -> set[str]:
    """Return the values that may be secrets, less those that the request has in the open too."""
    hidden: set[str] = set()
    seen: set[str] = set()
    for is_secret, text in _texts(request, within=False):
        (hidden if is_secret else seen).add(text)
    return hidden - seen


def _recorded(message: Message, at: str) -> Iterator[tuple[str, Any]]:
    for field, value in message.ListFields():
        path = f"{at}.{field.name}" if at else field.name
        if isinstance(value, FieldMask):
            yield path, ",".join(value.paths)[:512]
        elif _is_map(field):
            for key in sorted(value):
                yield f"{path}[{str(key)[:253]}]", NOT_RECORDED
        elif field.is_repeated:
            yield path, f"{len(value)} items"
        elif isinstance(value, Message):
            if value.DESCRIPTOR.full_name.startswith("google.protobuf."):
                yield path, NOT_RECORDED
            else:
                yield from _recorded(value, path)
        else:
            open_ = not isinstance(value, str | bytes) or field.name in _SHOWN
            yield path, _short(value) if open_ else NOT_RECORDED


def _short(value: Any) -> Any:
    return value[:512] if isinstance(value, str) else value


def _texts(message: Message, *, within: bool) -> Iterator[tuple[bool, str]]:
    """Yield all strings of a message, and whether they are where a secret may be."""
    for field, value in message.ListFields():
        hidden = within or field.name in _SECRET
        if _is_map(field):
            for key in value:
                yield False, str(key)
                entry = value[key]
                if isinstance(entry, Message):
                    yield from _texts(entry, within=hidden)
                else:
                    yield hidden, str(entry)
            continue
        for one in value if field.is_repeated else (value,):
            if isinstance(one, Message):
                yield from _texts(one, within=hidden)
            elif isinstance(one, str):
                yield hidden, one


def _is_map(field: Any) -> bool:
    kind = field.message_type
    return bool(kind is not None and kind.GetOptions().map_entry)
