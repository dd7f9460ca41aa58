"""ExecutorInspection: the dispatcher's endpoints as they are now."""

from hourglass_services.executor.port import AuthSignature
from hourglass_services.inspection.port import (
    BreakerState,
    EndpointHealth,
    Endpoints,
    ExecutorEndpoint,
)

from hourglass_executor.dispatch.dispatcher import Dispatcher
from hourglass_executor.routing.slot import EndpointView

from .challenge import Challenges


class Inspection:
    """Implements ``InspectionPort``."""

    def __init__(
        self, dispatcher: Dispatcher, challenges: Challenges, operator_address: str
    ) -> None:
        self._dispatcher = dispatcher
        self._challenges = challenges
        self._operator = operator_address

    def list_endpoints(self, avs_address: str, auth: AuthSignature | None) -> Endpoints:
        self._challenges.check(auth)
        avs = avs_address.lower()
        found = [_shown(v) for v in self._dispatcher.snapshot() if avs in ("", v.avs)]
        found.sort(key=lambda each: (each.performer_id, each.instance, each.address))
        return Endpoints(operator_address=self._operator, endpoints=tuple(found))


def _shown(view: EndpointView) -> ExecutorEndpoint:
    return ExecutorEndpoint(
        performer_id=view.performer_id,
        avs_address=view.avs,
        instance=view.instance,
        address=view.address,
        revision=view.revision,
        role=view.role,
        connected=view.connected,
        health=EndpointHealth(view.health.value),
        health_source=view.health_source,
        breaker=BreakerState(view.breaker),
        in_flight=view.in_flight,
        skipped=view.skipped.value if view.skipped else "",
        latency_seconds=view.latency_seconds,
        lost=view.lost,
        last_health_check=view.last_health_check,
    )
