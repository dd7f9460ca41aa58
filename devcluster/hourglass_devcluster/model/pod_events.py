"""What happens to a pod on its node, and what is to be done then: in and out of ``pod_state``."""

from dataclasses import dataclass
from typing import Literal

from .pod_spec import ProbeKind


@dataclass(frozen=True, slots=True)
class Started:
    run: int


@dataclass(frozen=True, slots=True)
class StartFailed:
    """``reason`` is a container's waiting reason, such as ErrImagePull."""

    run: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Exited:
    """``code`` as the shell counts: 128 + N for signal N."""

    run: int
    code: int


@dataclass(frozen=True, slots=True)
class Probed:
    run: int
    kind: ProbeKind
    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The pod has a deletionTimestamp, with this grace period."""

    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Gone:
    """The pod is not in the API any more."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Started | StartFailed | Exited | Probed | Deleted | Gone | Tick


@dataclass(frozen=True, slots=True)
class Start:
    run: int


@dataclass(frozen=True, slots=True)
class RunProbe:
    run: int
    kind: ProbeKind


@dataclass(frozen=True, slots=True)
class Signal:
    run: int
    name: Literal["TERM", "KILL"]


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the pod from the API: its process is gone."""


@dataclass(frozen=True, slots=True)
class Say:
    """Record an event about the pod."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


Action = Start | RunProbe | Signal | Remove | Say
