"""The closed list of reasons: the same words in conditions, events, logs and metrics. Pure."""

from enum import Enum


class Reason(Enum):
    """Why a performer is as it is; the value is what users see, the comment what it means."""

    INSTANCES_READY = "InstancesReady"  # every wanted instance of the newest revision is ready
    SCALED_TO_ZERO = "ScaledToZero"  # no instance is wanted
    SUSPENDED = "Suspended"  # spec.suspend: nothing runs until it is resumed
    FENCED = "Fenced"  # spec.fence: the instances run and take no tasks
    STARTING = "Starting"  # instances come up, none is ready yet
    ROLLING_OUT = "RollingOut"  # a new revision comes up while the old one serves
    SCALING = "Scaling"  # some instances are ready, more are wanted
    DRAINING = "Draining"  # instances that are not wanted any more finish their tasks
    AWAITING_PROMOTION = "AwaitingPromotion"  # the staged revision is complete and not promoted yet
    GATE_RUNNING = "GateRunning"  # the staged revision has to answer the smoke task first
    GATE_FAILED = "GateFailed"  # a staged instance did not answer the smoke task as expected
    ABORTED = "Aborted"  # the staged revision was aborted, by hand or by abortAfterSeconds
    ROLLED_BACK = "RolledBack"  # an earlier revision serves instead of the spec's, by decision
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"  # no progress for too long
    IMAGE_PULL_FAILED = "ImagePullFailed"  # the image can not be pulled
    CRASH_LOOPING = "CrashLooping"  # the process ends again and again
    CONFIGURATION_FAILED = "ConfigurationFailed"  # a Secret or ConfigMap, or a key, is missing
    SECURITY_PROFILE = "SecurityProfile"  # the image needs what the security profile forbids
    NOT_READY_IN_TIME = "NotReadyInTime"  # a pod runs, but its health check does not pass
    UNSCHEDULABLE = "Unschedulable"  # no node takes the pods
    QUOTA_EXCEEDED = "QuotaExceeded"  # the namespace's quota leaves no room for the pods
    PODS_REFUSED = "PodsRefused"  # the API or an admission policy refuses the pods
    NAME_TAKEN = "NameTaken"  # an object of somebody else has a name that the performer needs
    NAME_LEAVING = "NameLeaving"  # the object that has such a name is about to go
    INVALID_SPEC = "InvalidSpec"  # the API refuses what the spec asks for


class Note(Enum):
    """What events say of acts: the part of the closed list that no condition carries."""

    PROMOTED = "Promoted"  # a revision took over
    REVISION_DRAINED = "RevisionDrained"  # what a replaced revision held has ended
    REVISION_ABORTED = "RevisionAborted"  # a staged revision was given up
    REVISION_ROLLED_BACK = "RevisionRolledBack"  # a return to an earlier revision began
    GATE_PASSED = "GatePassed"  # every staged instance answered the smoke task as expected
    DECISION_REFUSED = "DecisionRefused"  # a decision can not be carried out
    SUSPEND_REQUESTED = "SuspendRequested"  # spec.suspend was set
    RESUMED = "Resumed"  # spec.suspend was taken back
    FENCE_REQUESTED = "FenceRequested"  # spec.fence was set
    UNFENCED = "Unfenced"  # spec.fence was taken back
    SCALED = "Scaled"  # another number of instances was asked for


STALLED = frozenset(
    {
        Reason.GATE_FAILED,
        Reason.ABORTED,
        Reason.ROLLED_BACK,
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        Reason.IMAGE_PULL_FAILED,
        Reason.CRASH_LOOPING,
        Reason.CONFIGURATION_FAILED,
        Reason.SECURITY_PROFILE,
        Reason.QUOTA_EXCEEDED,
        Reason.PODS_REFUSED,
        Reason.NAME_TAKEN,
        Reason.INVALID_SPEC,
    }
)
"""Reasons that will not pass by waiting: somebody has to change something."""

BLOCKED = frozenset(
    {Reason.NAME_TAKEN, Reason.NAME_LEAVING, Reason.INVALID_SPEC, Reason.PODS_REFUSED}
)
"""Reasons for which the operator itself does nothing: not even what runs counts as achieved."""

WARNING = STALLED | {Reason.UNSCHEDULABLE, Reason.NOT_READY_IN_TIME}
"""Reasons whose event is a warning."""
