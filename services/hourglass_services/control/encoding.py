"""PerformerControl's answers about many performers, put together from bytes.

A performer is encoded once for as long as it is as it is, however often it is listed or watched:
the bytes go with the view. ``answer.SerializeToString()`` is all that a handler asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eigenlayer.hourglass.control.v1 import control_pb2

from .codec import event_kind, performer_to_proto
from .mask import keep
from .port import PerformerPage, PerformerView, WatchEvent

_GET = control_pb2.GetPerformerResponse
_LIST = control_pb2.ListPerformersResponse
_WATCH = control_pb2.WatchPerformersResponse
Paths = Sequence[tuple[str, ...]]
_BYTES, _NUMBER = 2, 0
"""Wire types."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An answer that is bytes already."""

    data: bytes

    def SerializeToString(self) -> bytes:
        return self.data


def encoded_performer(view: PerformerView) -> bytes:
    """Return the view as a serialized ``Performer``."""
    if view.encoded is None:
        view.keep_encoded(performer_to_proto(view).SerializeToString())
    assert view.encoded is not None
    return view.encoded


def get_answer(view: PerformerView, wanted: Paths = ()) -> Encoded:
    """Return the answer with the fields ``wanted``, as ``mask.read_paths`` gives them."""
    return Encoded(_part(_GET.PERFORMER_FIELD_NUMBER, _masked(view, wanted)))


def list_answer(page: PerformerPage, wanted: Paths = ()) -> Encoded:
    """Return the answer with the fields ``wanted`` of each."""
    parts = [_part(_LIST.PERFORMERS_FIELD_NUMBER, _masked(v, wanted)) for v in page.performers]
    parts.append(_text(_LIST.NEXT_PAGE_TOKEN_FIELD_NUMBER, page.next_page_token))
    return Encoded(b"".join(parts))


def watch_answer(event: WatchEvent) -> Encoded:
    kind = _varint(_WATCH.TYPE_FIELD_NUMBER << 3 | _NUMBER) + _varint(event_kind(event.kind))
    view = event.performer
    shown = b"" if view is None else _part(_WATCH.PERFORMER_FIELD_NUMBER, encoded_performer(view))
    return Encoded(kind + shown + _text(_WATCH.RESUME_TOKEN_FIELD_NUMBER, event.resume_token))


def _masked(view: PerformerView, wanted: Paths) -> bytes:
    data = encoded_performer(view)
    if not wanted:
        return data
    message = control_pb2.Performer.FromString(data)
    keep(message, wanted)
    return message.SerializeToString()


def _text(number: int, text: str) -> bytes:
    return _part(number, text.encode()) if text else b""


def _part(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
