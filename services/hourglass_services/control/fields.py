"""The fields of a Performer as requests name them, and where they are in its manifest. Pure.

A path such as ``spec.config.grpc_port`` may name each field as in the .proto or as in JSON. Below a
map or a free-form value come keys; one with a dot is written in backticks (or, in filters, quotes).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from eigenlayer.hourglass.control.v1 import control_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hourglass_common.domain.errors import HourglassError, invalid

from .port import Path

PERFORMER: Descriptor = control_pb2.Performer.DESCRIPTOR
_IN_METADATA = {
    "namespace": "namespace",
    "name": "name",
    "uid": "uid",
    "etag": "resourceVersion",
    "generation": "generation",
    "create_time": "creationTimestamp",
    "delete_time": "deletionTimestamp",
    "labels": "labels",
}
_FREE = ("google.protobuf.Struct", "google.protobuf.Value")


@dataclass(frozen=True, slots=True)
class Field:
    """Where a path leads: ``path`` in the manifest, and the field's description.

    ``is_key`` means that it leads to a value in a map or in free-form JSON; ``lists`` are the
    numbers of elements of ``path`` after which there is a list.
    """

    path: Path
    kind: FieldDescriptor
    is_key: bool = False
    lists: tuple[int, ...] = ()


def find_field(parts: Sequence[str], source: str) -> Field:
    """Return the field of a Performer that ``parts`` names. INVALID_ARGUMENT, blaming ``source``,
    if there is none."""
    path: list[str] = []
    lists: list[int] = []
    holder: Descriptor | None = PERFORMER
    kind: FieldDescriptor | None = None
    for number, part in enumerate(parts):
        if holder is None:  # below a map or a free-form value: a key
            path.append(part)
            continue
        found = _named(holder, part)
        if found is None:
            raise _unknown(holder, parts, number, source)
        path += _top(found.name) if holder is PERFORMER else [found.json_name]
        kind, holder = found, _below(found)
        if kind.is_repeated and not _is_map(kind):
            lists.append(len(path))
        if number + 1 < len(parts) and (
            _is_leaf(kind) or (_is_map(kind) and number + 2 < len(parts))
        ):
            raise invalid(source, f"{'.'.join(parts[:-1])} has no fields of its own")
    if kind is None:
        raise invalid(source, "a field must be named, such as spec.image")
    is_key = path[-1] != kind.json_name and path[-1] not in _top(kind.name)
    return Field(tuple(path), kind, is_key, tuple(lists))


def split_path(text: str, source: str) -> tuple[str, ...]:
    """Return the parts of a dotted path, with the parts in backticks whole."""
    parts: list[str] = []
    rest = text
    while True:
        if rest.startswith("`"):
            part, closed, rest = rest[1:].partition("`")
            if not closed or (rest and not rest.startswith(".")):
                raise invalid(source, f"{text!r}: a backtick is not closed")
        else:
            part, dot, rest = rest.partition(".")
            rest = dot + rest
        if not part:
            raise invalid(source, f"{text!r} is not a path of fields, such as spec.image")
        parts.append(part)
        if not rest:
            return tuple(parts)
        rest = rest[1:]


def _named(holder: Descriptor, name: str) -> FieldDescriptor | None:
    found = holder.fields_by_name.get(name)
    if found is not None:
        return found
    return next((field for field in holder.fields if field.json_name == name), None)


def _top(name: str) -> list[str]:
    return ["metadata", _IN_METADATA[name]] if name in _IN_METADATA else [name]


def _is_map(kind: FieldDescriptor) -> bool:
    return kind.message_type is not None and kind.message_type.GetOptions().map_entry


def _below(kind: FieldDescriptor) -> Descriptor | None:
    if kind.message_type is None or _is_map(kind) or kind.message_type.full_name in _FREE:
        return None
    return kind.message_type


def _is_leaf(kind: FieldDescriptor) -> bool:
    return kind.message_type is None or kind.message_type.full_name == "google.protobuf.Timestamp"


def _unknown(holder: Descriptor, parts: Sequence[str], at: int, source: str) -> HourglassError:
    known = sorted(field.name for field in holder.fields)
    near = get_close_matches(parts[at], known, n=1)
    where = ".".join(parts[:at]) or "a Performer"
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    return invalid(source, f"{where} has no field {parts[at]!r}; {hint}")
