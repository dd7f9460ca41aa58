"""What one question to a performer's grpc.health.v1 service can bring back."""

from enum import Enum


class HealthAnswer(Enum):
    """An answer of Check or Watch, or the lack of one."""

    SERVING = "Serving"
    NOT_SERVING = "NotServing"
    SERVICE_UNKNOWN = "ServiceUnknown"  # the server has health, not for the name asked
    UNIMPLEMENTED = "Unimplemented"  # the server does not have this method
    NONE = "None"  # too late, refused or broken off


class HealthSource(Enum):
    """Where an endpoint's health comes from."""

    WATCH = "watch"
    CHECK = "check"
    NONE = "none"  # the performer has no health service: taken as healthy
