"""ExecutorInspection's messages and its port's values, into each other."""

from datetime import UTC, timedelta

from eigenlayer.hourglass.executor.v1 import inspection_pb2 as pb
from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.health import HealthSource

from .port import BreakerState, EndpointHealth, Endpoints, ExecutorEndpoint
from .words import BREAKERS, HEALTH, ROLES, SOURCES


def endpoints_to_proto(found: Endpoints) -> pb.ListEndpointsResponse:
    return pb.ListEndpointsResponse(
        endpoints=[_to_proto(each) for each in found.endpoints],
        operator_address=found.operator_address,
        waiting=found.waiting,
    )


def endpoints_from_proto(message: pb.ListEndpointsResponse) -> Endpoints:
    return Endpoints(
        operator_address=message.operator_address,
        endpoints=tuple(_from_proto(each) for each in message.endpoints),
        waiting=dict(message.waiting),
    )


def _to_proto(found: ExecutorEndpoint) -> pb.ExecutorEndpoint:
    message = pb.ExecutorEndpoint(
        performer_id=found.performer_id,
        avs_address=found.avs_address,
        instance=found.instance,
        address=found.address,
        revision=found.revision,
        role=ROLES.number(found.role),
        connected=found.connected,
        health=HEALTH.number(found.health),
        health_source=SOURCES.number(found.health_source),
        breaker=BREAKERS.number(found.breaker),
        in_flight=found.in_flight,
        skipped=found.skipped,
        lost=found.lost,
        sent=found.sent,
        answered=found.answered,
        failed=found.failed,
        connection=found.connection,
    )
    message.latency.FromTimedelta(timedelta(seconds=found.latency_seconds))
    if found.last_health_check is not None:
        message.last_health_check.FromDatetime(found.last_health_check)
    if found.breaker_until is not None:
        message.breaker_until.FromDatetime(found.breaker_until)
    return message


def _from_proto(message: pb.ExecutorEndpoint) -> ExecutorEndpoint:
    checked = message.HasField("last_health_check")
    return ExecutorEndpoint(
        performer_id=message.performer_id,
        avs_address=message.avs_address,
        instance=message.instance,
        address=message.address,
        revision=message.revision,
        role=ROLES.word(message.role, Role.RETIRED),
        connected=message.connected,
        health=HEALTH.word(message.health, EndpointHealth.UNKNOWN),
        health_source=SOURCES.word(message.health_source, HealthSource.NONE),
        breaker=BREAKERS.word(message.breaker, BreakerState.OPEN),
        in_flight=message.in_flight,
        skipped=message.skipped,
        latency_seconds=message.latency.ToTimedelta().total_seconds(),
        lost=message.lost,
        last_health_check=message.last_health_check.ToDatetime(UTC) if checked else None,
        sent=message.sent,
        answered=message.answered,
        failed=message.failed,
        breaker_until=message.breaker_until.ToDatetime(UTC)
        if message.HasField("breaker_until")
        else None,
        connection=message.connection,
    )
