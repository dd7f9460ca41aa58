"""How a Performer changes from one revision to the next: the parts of the spec that say so."""

from base64 import b64decode
from dataclasses import dataclass
from typing import ClassVar

from .schema import Rule, described

ROLLING_UPDATE = "RollingUpdate"
BLUE_GREEN = "BlueGreen"
RECREATE = "Recreate"

PROMOTE = "Promote"
ABORT = "Abort"
ROLLBACK = "Rollback"

DRAIN_TIMEOUT_SECONDS = 300
KEEP_PREVIOUS_SECONDS = 30
PROGRESS_DEADLINE_SECONDS = 600
REVISION_HISTORY_LIMIT = 10

_REVISION = "^[a-z0-9]*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingUpdate:
    """Bounds of a rolling update."""

    max_surge: int | str = described(
        "Instances above the wanted ones during an update: a number, or a percentage rounded up.",
        default="25%",
        int_or_percent=True,
    )
    max_unavailable: int | str = described(
        "Wanted instances that may be missing during an update: a number, or a percentage "
        "rounded down.",
        default=0,
        int_or_percent=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeTask:
    """A task that every staged instance must answer as expected."""

    payload: str = described("What the task carries.", default="", max_length=65536)
    expected_output: str = described("What the answer must be.", default="", max_length=65536)
    encoding: str = described(
        "How both are written here.", default="Text", enum=("Text", "Hex", "Base64")
    )
    timeout_seconds: int = described(
        "How long an instance may take.",
        default=10,
        minimum=1,
        maximum=30,
        integer_format="int32",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What must hold before a staged revision is promoted."""

    smoke_task: SmokeTask | None = described(
        "A task that every staged instance must answer as expected.",
        default=None,
        rules=(
            Rule(
                "!has(self.encoding) || self.encoding != 'Hex' || ["
                "has(self.payload) ? self.payload : '', "
                "has(self.expectedOutput) ? self.expectedOutput : ''"
                "].all(text, text.matches('^(0x)?([0-9a-fA-F]{2})*$'))",
                "payload and expectedOutput must be pairs of hexadecimal digits",
            ),
            Rule(
                "!has(self.encoding) || self.encoding != 'Base64' || ["
                "has(self.payload) ? self.payload : '', "
                "has(self.expectedOutput) ? self.expectedOutput : ''"
                "].all(text, text.matches("
                "'^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'))",
                "payload and expectedOutput must be base64 with padding",
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreen:
    """When a staged revision is promoted, and when it is given up."""

    auto_promote_after_seconds: int | None = described(
        "Promote this long after the staged revision is complete; 0 at once, unset only by hand.",
        default=None,
        minimum=0,
        maximum=2592000,
        integer_format="int32",
    )
    abort_after_seconds: int | None = described(
        "Abort a staged revision that is not promoted this long after it is complete; unset never.",
        default=None,
        minimum=1,
        maximum=2592000,
        integer_format="int32",
    )
    gate: Gate | None = described("What must hold before promotion.", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How a new revision takes over."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.rollingUpdate) || !has(self.type) || self.type == 'RollingUpdate'",
            "rollingUpdate goes with type RollingUpdate only",
        ),
        Rule(
            "!has(self.blueGreen) || (has(self.type) && self.type == 'BlueGreen')",
            "blueGreen goes with type BlueGreen only",
        ),
    )

    type: str = described(
        "RollingUpdate: instance by instance. BlueGreen: complete beside the old one, then one "
        "switch. Recreate: after the old one is gone.",
        default=ROLLING_UPDATE,
        enum=(ROLLING_UPDATE, BLUE_GREEN, RECREATE),
    )
    rolling_update: RollingUpdate = described(
        "Only for RollingUpdate.",
        default_factory=RollingUpdate,
        rules=(
            Rule(
                "!(has(self.maxSurge) && string(self.maxSurge).matches('^0+%?$') && "
                "(!has(self.maxUnavailable) || string(self.maxUnavailable).matches('^0+%?$')))",
                "maxSurge and maxUnavailable can not both be 0: no instance could ever be replaced",
            ),
        ),
    )
    blue_green: BlueGreen = described(
        "Only for BlueGreen.",
        default_factory=BlueGreen,
        rules=(
            Rule(
                "!has(self.autoPromoteAfterSeconds) || !has(self.abortAfterSeconds) || "
                "self.autoPromoteAfterSeconds < self.abortAfterSeconds",
                "autoPromoteAfterSeconds must be less than abortAfterSeconds",
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An explicit act on a rollout; it is void once the spec asks for another revision."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.action == 'Rollback' || !has(self.revision) || self.revision == '' || "
            "self.revision == self.decidedForHash",
            "Promote and Abort are about the revision that the spec asks for: leave revision out, "
            "or repeat decidedForHash; Rollback returns to an earlier one",
        ),
        Rule(
            "self.action != 'Rollback' || !has(self.revision) || "
            "self.revision != self.decidedForHash",
            "Rollback returns to an earlier revision, not to the one that the spec asks for: "
            "Promote that one",
        ),
    )

    action: str = described(
        "Promote the staged revision, Abort it, or Rollback to an earlier one.",
        enum=(PROMOTE, ABORT, ROLLBACK),
    )
    revision: str = described(
        "The revision to promote, to abort or to return to; for Rollback empty means the one "
        "before.",
        default="",
        max_length=63,
        pattern=_REVISION,
    )
    decided_for_hash: str = described(
        "status.revision at the time of the decision.",
        min_length=1,
        max_length=63,
        pattern=_REVISION,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What every strategy shares."""

    decision: Decision | None = described("The last explicit act.", default=None)
    keep_previous_seconds: int = described(
        "How long a replaced revision of BlueGreen is kept ready, counted from drained.",
        default=KEEP_PREVIOUS_SECONDS,
        minimum=0,
        maximum=2592000,
        integer_format="int32",
    )
    drain_timeout_seconds: int = described(
        "How long what an instance holds may take to finish; also the termination grace period "
        "of pods made from then on.",
        default=DRAIN_TIMEOUT_SECONDS,
        minimum=0,
        maximum=86400,
        integer_format="int32",
    )
    progress_deadline_seconds: int = described(
        "Without progress for this long a rollout is Stalled.",
        default=PROGRESS_DEADLINE_SECONDS,
        minimum=1,
        maximum=2592000,
        integer_format="int32",
    )
    on_deadline: str = described(
        "What else a stuck rollout comes to: Stall, or Rollback to the revision before.",
        default="Stall",
        enum=("Stall", "Rollback"),
    )
    revision_history_limit: int = described(
        "Retired revisions kept to return to.",
        default=REVISION_HISTORY_LIMIT,
        minimum=0,
        maximum=100,
        integer_format="int32",
    )


def share(value: int | str, of: int, *, round_up: bool) -> int:
    """Return a number, or a percentage ``of`` the wanted instances, as instances."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    part = int(value[:-1]) * of
    return -(-part // 100) if round_up else part // 100


def smoke_bytes(text: str, encoding: str) -> bytes:
    """Return the bytes that a smoke task's text stands for; ValueError if none."""
    match encoding:
        case "Hex":
            return bytes.fromhex(text.removeprefix("0x"))
        case "Base64":
            return b64decode(text, validate=True)
        case _:
            return text.encode()
