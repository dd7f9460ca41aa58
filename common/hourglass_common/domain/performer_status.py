"""The status of a Performer: what runs, and the record of what was done."""

from dataclasses import dataclass

from .schema import described

ROLES = ("Staged", "InService", "Draining", "Retired")
UNKNOWN = "unknown"
"""What a receipt says of a figure that no executor reported: never 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """As metav1.Condition."""

    type: str = described("What it speaks of.", max_length=316)
    status: str = described("Whether it holds.", enum=("True", "False", "Unknown"))
    observed_generation: int = described(
        "metadata.generation that it was seen at.", default=0, minimum=0, integer_format="int64"
    )
    last_transition_time: str = described("When status last changed.", date_time=True)
    reason: str = described("Why, as one word for programs.", min_length=1, max_length=1024)
    message: str = described("Why, for people.", max_length=32768)


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionStatus:
    """One revision that is kept."""

    hash: str = described("Names it: the ReplicaSet is <performer>-<hash>.", max_length=63)
    role: str = described("The part that it plays.", enum=ROLES)
    image: str = described("Its image.", default="", max_length=1024)
    replicas: int = described(
        "Instances that exist.", default=0, integer_format="int32", keep_default=True
    )
    ready_replicas: int = described(
        "Instances that are ready.", default=0, integer_format="int32", keep_default=True
    )
    in_service_since: str = described("When it was last promoted.", date_time=True)
    rejected: str = described(
        "Why it is not promoted by itself: Aborted, RolledBack, ProgressDeadlineExceeded.",
        default="",
        max_length=63,
    )
    gate: str = described("How its gate ended: Passed, Failed.", default="", max_length=63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The record of one act: who did what, when, and what became of the tasks."""

    action: str = described(
        "What was done.",
        enum=(
            "Promote",
            "Abort",
            "Rollback",
            "Fence",
            "Unfence",
            "Suspend",
            "Resume",
            "Scale",
        ),
    )
    who: str = described(
        "Field manager of the change, or hourglass-operator for what went by itself.",
        default="",
        max_length=253,
    )
    when: str = described("When it was carried out.", date_time=True)
    from_: str = described("Revision or value before.", default="", max_length=63)
    to: str = described("Revision or value after.", default="", max_length=63)
    in_flight: str = described(
        "Tasks in flight on what was taken out, as executors reported them; unknown where one did "
        "not. Unset where nothing was taken out.",
        default="",
        max_length=20,
        pattern="^(|unknown|[0-9]+)$",
    )
    lost: str = described(
        "Of these, tasks that ended without an answer.",
        default="",
        max_length=20,
        pattern="^(|unknown|[0-9]+)$",
    )
    drained: str = described("When the last of these had ended, or were given up.", date_time=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What was last asked for explicitly; it holds where the spec no longer says it."""

    replicas: int | None = described("As spec.replicas.", default=None, integer_format="int32")
    suspend: bool | None = described("As spec.suspend.", default=None)
    fence: bool | None = described("As spec.fence.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionStatus:
    """The last decision that was looked at, and what came of it."""

    action: str = described("As in spec.rollout.decision.", max_length=63)
    revision: str = described("As in spec.rollout.decision.", default="", max_length=63)
    decided_for_hash: str = described("As in spec.rollout.decision.", default="", max_length=63)
    outcome: str = described("Accepted, or Refused.", enum=("Accepted", "Refused"))
    message: str = described("Why, for people.", default="", max_length=1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformerStatus:
    """What runs."""

    phase: str = described(
        "Summary for people; programs read the conditions.",
        default="",
        enum=("Pending", "Running", "Upgrading", "Terminating", "Failed"),
    )
    ready: bool = described("Whether an instance takes tasks.", default=False, keep_default=True)
    pod_name: str = described("Name of one pod of the newest revision.", default="")
    service_name: str = described("Name of the Service in front of the instances.", default="")
    staged_service_name: str = described(
        "Name of the Service in front of the staged revision, while there is one.", default=""
    )
    grpc_endpoint: str = described("DNS name and port of that Service.", default="")
    conditions: tuple[Condition, ...] = described(
        "Ready, Progressing, Available, Degraded, and Reconciling and Stalled while they hold.",
        default_factory=tuple,
        map_key="type",
    )
    last_upgrade: str = described("When the newest revision was first seen.", date_time=True)
    ready_time: str = described("When the performer first was Ready.", date_time=True)
    observed_generation: int = described(
        "metadata.generation that this status speaks of.",
        default=0,
        integer_format="int64",
        keep_default=True,
    )
    replicas: int = described(
        "Instances that exist; under BlueGreen those of the revision in service.",
        default=0,
        integer_format="int32",
        keep_default=True,
    )
    ready_replicas: int = described(
        "Instances that are ready.", default=0, integer_format="int32", keep_default=True
    )
    updated_replicas: int = described(
        "Instances of the newest revision.", default=0, integer_format="int32", keep_default=True
    )
    selector: str = described("Label selector of the instances, for autoscalers.", default="")
    revision: str = described("The revision that the spec asks for.", default="")
    in_service_revision: str = described("The revision that serves.", default="")
    revisions: tuple[RevisionStatus, ...] = described(
        "The revisions that are kept, newest first.", default_factory=tuple
    )
    intent: Intent = described(
        "What was last asked for explicitly; it holds where the spec no longer says it.",
        default_factory=Intent,
    )
    decision: DecisionStatus | None = described(
        "The last decision that was looked at.", default=None
    )
    receipts: tuple[Receipt, ...] = described(
        "The last acts, newest first.", default_factory=tuple, max_items=10
    )
