"""Every setting of routing and dispatch."""

from dataclasses import dataclass, field

from hourglass_common.domain.backoff import Backoff
from hourglass_services.performer.channel import DEFAULT_MAX_MESSAGE_BYTES

from hourglass_executor.routing.health import HealthPolicy
from hourglass_executor.routing.hedging import HedgePolicy
from hourglass_executor.routing.policy import RouterPolicy
from hourglass_executor.routing.retry_budget import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchPolicy:
    """Every setting of routing and dispatch; ``max_message_bytes`` bounds a task either way."""

    router: RouterPolicy = field(default_factory=RouterPolicy)
    health: HealthPolicy = field(default_factory=HealthPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    retry_backoff: Backoff = field(default_factory=lambda: Backoff(minimum=0.1, maximum=2.0))
    hedge: HedgePolicy = field(default_factory=HedgePolicy)
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
