"""Why an endpoint was not given a task."""

from enum import Enum


class SkipReason(Enum):
    NOT_ADDRESSED = "NotAddressed"  # the caller named others
    STAGED = "Staged"
    DRAINING = "Draining"
    RETIRED = "Retired"
    NOT_READY = "NotReady"  # its deployer says so
    NOT_CONNECTED = "NotConnected"
    HEALTH_UNKNOWN = "HealthUnknown"  # connected, no answer yet
    NOT_SERVING = "NotServing"
    UNHEALTHY = "Unhealthy"  # connected, health checks are not answered
    BREAKER_OPEN = "BreakerOpen"
    PROBE_IN_FLIGHT = "ProbeInFlight"  # the breaker waits for the end of its one probe
    AT_CAPACITY = "AtCapacity"
