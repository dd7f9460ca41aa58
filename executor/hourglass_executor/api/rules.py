"""What each method of the executor asks of its caller, and what of a change is recorded.

A method that is not named here is not served: whoever adds one says here what it asks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

_LONGEST = 200
_SHOWN = frozenset(
    {
        FieldDescriptor.CPPTYPE_STRING,
        FieldDescriptor.CPPTYPE_BOOL,
        FieldDescriptor.CPPTYPE_ENUM,
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)


class Asks(Enum):
    """What a caller must show where authentication is on."""

    NOTHING = "nothing"  # tasks are signed themselves
    PATIENCE = "patience"  # anybody may, but not often
    PROOF = "proof"  # a challenge token, signed with the operator's key


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``changes`` is None for a method that changes nothing; ``secrets`` are the values that no
    text of ours may repeat."""

    asks: Asks = Asks.PROOF
    changes: Callable[[Any], Mapping[str, Any]] | None = None
    secrets: Callable[[Any], Iterable[str]] = lambda _: ()


def _fields(request: Any) -> dict[str, Any]:
    """Return the plain fields of a request: no bytes, which may be a payload or a result."""
    return {
        field.json_name or field.name: value[:_LONGEST] if isinstance(value, str) else value
        for field, value in request.ListFields()
        if not field.is_repeated
        and field.cpp_type in _SHOWN
        and field.type != FieldDescriptor.TYPE_BYTES
    }


def _deployed(request: Any) -> dict[str, Any]:
    names = [one.name[:_LONGEST] for one in request.env]
    return {**_fields(request), "env": names}  # names alone: values are often secrets


_READ: Final = Rule()
_CHANGE: Final = Rule(changes=_fields)
_MANAGEMENT: Final = "eigenlayer.hourglass.v1.ExecutorManagementService"
_INSPECTION: Final = "eigenlayer.hourglass.executor.v1.ExecutorInspection"

RULES: Final[Mapping[str, Rule]] = {
    "eigenlayer.hourglass.v1.ExecutorService/SubmitTask": Rule(asks=Asks.NOTHING),
    f"{_MANAGEMENT}/GetChallengeToken": Rule(asks=Asks.PATIENCE),
    f"{_MANAGEMENT}/DeployArtifact": Rule(
        changes=_deployed, secrets=lambda request: [one.value for one in request.env]
    ),
    f"{_MANAGEMENT}/ListPerformers": _READ,
    f"{_MANAGEMENT}/RemovePerformer": _CHANGE,
    f"{_INSPECTION}/GetTask": _READ,
    f"{_INSPECTION}/ListTasks": _READ,
    f"{_INSPECTION}/ResolveTask": _CHANGE,
    f"{_INSPECTION}/ListEndpoints": _READ,
    f"{_INSPECTION}/Explain": _READ,
    f"{_INSPECTION}/Tap": _READ,
}
