"""What an executor tells of its tasks, without a word of gRPC."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from hourglass_common.domain.endpoint import Role


class TaskState(Enum):
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class StepKind(Enum):
    SENT = "Sent"
    WAITS = "Waits"
    REFUSED = "Refused"
    NOT_MADE = "NotMade"
    CALL_ENDED = "CallEnded"
    FINISHED = "Finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """``code`` is the name of gRPC's."""

    code: str
    reason: str = ""
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResolution:
    resolved_by: str
    note: str
    resolved_at: datetime
    unknown_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorTask:
    """One task as it is kept; ``payload`` and ``output`` only where they were asked for."""

    task_id: str
    avs_address: str
    aggregator_address: str
    operator_set_id: int
    reference_timestamp: int
    state: TaskState
    accepted_at: datetime
    finished_at: datetime | None = None
    failure: TaskFailure | None = None
    resolved: TaskResolution | None = None
    addressee: str = ""
    payload_size: int = 0
    output_size: int = 0
    payload: bytes = b""
    output: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    tasks: tuple[ExecutorTask, ...]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What somebody says of a task: its ``output``, or None where it failed."""

    output: bytes | None
    resolved_by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsideredEndpoint:
    performer_id: str
    instance: str
    address: str
    role: Role
    skipped: str
    in_flight: int
    latency_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStep:
    """One step of one task; ``endpoints`` is how many there were, ``considered`` those that were
    kept of them."""

    kind: StepKind
    at: datetime
    task_id: str = ""
    avs_address: str = ""
    performer_id: str = ""
    instance: str = ""
    address: str = ""
    considered: tuple[ConsideredEndpoint, ...] = ()
    endpoints: int = 0
    failure: TaskFailure | None = None
    lost: bool = False
    took_seconds: float = 0.0
    state: TaskState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``verdict`` is the answer in one sentence; see the .proto for the rest."""

    verdict: str
    steps: tuple[TaskStep, ...] = ()
    foreseen: TaskStep | None = None
    remembered_since: datetime | None = None
    task: ExecutorTask | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """The first event of a tap."""

    buffer: int
    sample_rate: float


@dataclass(frozen=True, slots=True)
class MissedSteps:
    """At this place so many steps were lost."""

    steps: int


TapEvent = Opened | TaskStep | MissedSteps
