"""Enums of ours and of the .proto, whose names are equal but for a prefix."""

from enum import Enum
from typing import Any, TypeVar

from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.health import HealthSource

from .port import BreakerState, EndpointHealth
from .tasks import StepKind, TaskState

E = TypeVar("E", bound=Enum)


class Words:
    """The numbers of an enum of ours on the wire, and back."""

    def __init__(self, wire: Any, prefix: str, ours: type[Enum]) -> None:
        self._numbers = {each: wire.Value(f"{prefix}_{each.name}") for each in ours}
        self._ours = {number: each for each, number in self._numbers.items()}

    def number(self, word: Enum) -> Any:
        return self._numbers[word]

    def word(self, number: int, unknown: E) -> E:
        """Return our word; ``unknown`` for a number that this client is too old to know."""
        found: Any = self._ours.get(number, unknown)
        return found  # type: ignore[no-any-return]


ROLES = Words(pb.EndpointRole, "ENDPOINT_ROLE", Role)
HEALTH = Words(pb.EndpointHealth, "ENDPOINT_HEALTH", EndpointHealth)
SOURCES = Words(pb.HealthSource, "HEALTH_SOURCE", HealthSource)
BREAKERS = Words(pb.BreakerState, "BREAKER_STATE", BreakerState)
STATES = Words(pb.TaskState, "TASK_STATE", TaskState)
STEPS = Words(pb.StepKind, "STEP_KIND", StepKind)
