"""ExecutorInspection's messages and its port's values, into each other."""

from datetime import UTC, timedelta
from enum import Enum
from typing import Any, TypeVar

from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.health import HealthSource

from .port import BreakerState, EndpointHealth, Endpoints, ExecutorEndpoint

E = TypeVar("E", bound=Enum)


class _Words:
    """An enum of ours and one of the .proto, whose names are equal but for a prefix."""

    def __init__(self, wire: Any, prefix: str, ours: type[Enum]) -> None:
        self._numbers = {each: wire.Value(f"{prefix}_{each.name}") for each in ours}
        self._ours = {number: each for each, number in self._numbers.items()}

    def number(self, word: Enum) -> Any:
        return self._numbers[word]

    def word(self, number: int, unknown: E) -> E:
        """Return our word; ``unknown`` for a number that this client is too old to know."""
        found: Any = self._ours.get(number, unknown)
        return found  # type: ignore[no-any-return]


_ROLES = _Words(pb.EndpointRole, "ENDPOINT_ROLE", Role)
_HEALTH = _Words(pb.EndpointHealth, "ENDPOINT_HEALTH", EndpointHealth)
_SOURCES = _Words(pb.HealthSource, "HEALTH_SOURCE", HealthSource)
_BREAKERS = _Words(pb.BreakerState, "BREAKER_STATE", BreakerState)


def endpoints_to_proto(found: Endpoints) -> pb.ListEndpointsResponse:
    return pb.ListEndpointsResponse(
        endpoints=[_to_proto(each) for each in found.endpoints],
        operator_address=found.operator_address,
    )


def endpoints_from_proto(message: pb.ListEndpointsResponse) -> Endpoints:
    return Endpoints(
        operator_address=message.operator_address,
        endpoints=tuple(_from_proto(each) for each in message.endpoints),
    )


def _to_proto(found: ExecutorEndpoint) -> pb.ExecutorEndpoint:
    message = pb.ExecutorEndpoint(
        performer_id=found.performer_id,
        avs_address=found.avs_address,
        instance=found.instance,
        address=found.address,
        revision=found.revision,
        role=_ROLES.number(found.role),
        connected=found.connected,
        health=_HEALTH.number(found.health),
        health_source=_SOURCES.number(found.health_source),
        breaker=_BREAKERS.number(found.breaker),
        in_flight=found.in_flight,
        skipped=found.skipped,
        lost=found.lost,
    )
    message.latency.FromTimedelta(timedelta(seconds=found.latency_seconds))
    if found.last_health_check is not None:
        message.last_health_check.FromDatetime(found.last_health_check)
    return message


def _from_proto(message: pb.ExecutorEndpoint) -> ExecutorEndpoint:
    checked = message.HasField("last_health_check")
    return ExecutorEndpoint(
        performer_id=message.performer_id,
        avs_address=message.avs_address,
        instance=message.instance,
        address=message.address,
        revision=message.revision,
        role=_ROLES.word(message.role, Role.RETIRED),
        connected=message.connected,
        health=_HEALTH.word(message.health, EndpointHealth.UNKNOWN),
        health_source=_SOURCES.word(message.health_source, HealthSource.NONE),
        breaker=_BREAKERS.word(message.breaker, BreakerState.OPEN),
        in_flight=message.in_flight,
        skipped=message.skipped,
        latency_seconds=message.latency.ToTimedelta().total_seconds(),
        lost=message.lost,
        last_health_check=message.last_health_check.ToDatetime(UTC) if checked else None,
    )
