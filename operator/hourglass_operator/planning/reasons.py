"""The closed list of reasons: the same words in conditions, events, logs and metrics. Pure."""

from enum import Enum


class Reason(Enum):
    """Why a performer is as it is; the value is what users see, the comment what it means."""

    INSTANCES_READY = "InstancesReady"  # every wanted instance of the newest revision is ready
    SCALED_TO_ZERO = "ScaledToZero"  # no instance is wanted
    STARTING = "Starting"  # instances come up, none is ready yet
    ROLLING_OUT = "RollingOut"  # a new revision comes up while the old one serves
    SCALING = "Scaling"  # some instances are ready, more are wanted
    IMAGE_PULL_FAILED = "ImagePullFailed"  # the image can not be pulled
    CRASH_LOOPING = "CrashLooping"  # the process ends again and again
    CONFIGURATION_FAILED = "ConfigurationFailed"  # a Secret or ConfigMap, or a key, is missing
    SECURITY_PROFILE = "SecurityProfile"  # the image needs what the security profile forbids
    NOT_READY_IN_TIME = "NotReadyInTime"  # a pod runs, but its health check does not pass
    UNSCHEDULABLE = "Unschedulable"  # no node takes the pods
    PODS_REFUSED = "PodsRefused"  # the API refuses the pods: quota, admission, a bad value
    NAME_TAKEN = "NameTaken"  # an object of somebody else has a name that the performer needs
    NAME_LEAVING = "NameLeaving"  # the object that has such a name is about to go
    INVALID_SPEC = "InvalidSpec"  # the API refuses what the spec asks for


STALLED = frozenset(
    {
        Reason.IMAGE_PULL_FAILED,
        Reason.CRASH_LOOPING,
        Reason.CONFIGURATION_FAILED,
        Reason.SECURITY_PROFILE,
        Reason.PODS_REFUSED,
        Reason.NAME_TAKEN,
        Reason.INVALID_SPEC,
    }
)
"""Reasons that will not pass by waiting: somebody has to change something."""

BLOCKED = frozenset({Reason.NAME_TAKEN, Reason.NAME_LEAVING})
"""Reasons for which the operator itself does nothing: not even what runs counts as achieved."""

WARNING = STALLED | {Reason.UNSCHEDULABLE, Reason.NOT_READY_IN_TIME}
"""Reasons whose event is a warning."""
