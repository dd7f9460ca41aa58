"""One pod's container on the node agent, as a state machine. Pure; times are monotonic seconds.

Waiting --(retry_at)--> Starting --(started)--> Running --(exited)--> Waiting (backs off)
Starting --(could not)-> Waiting
Running --(liveness or startup failed)--> Stopping --(exited)--> Waiting
any ----(deletion seen)-> Stopping, or Gone where nothing runs --> Gone (the pod is removed)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from hourglass_common.domain.backoff import Backoff

RESTART = Backoff(minimum=1.0, maximum=60.0, jitter=0.0)
"""Upstream waits 10 s to 5 min; this is somebody's own machine."""
RESET_AFTER = 60.0
"""A container that ran this long starts with a short back-off again."""


class ProbeKind(Enum):
    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """When a probe is made and how many results in a row count."""

    delay: float = 0.0
    period: float = 10.0
    failures: int = 3
    successes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the pod's spec says of its container's life."""

    probes: Mapping[ProbeKind, Probe] = field(default_factory=dict)
    pre_stop: float = 0.0
    grace: float = 30.0


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str = "ContainerCreating"
    message: str = ""
    retry_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Starting:
    """The process is being started; ``deleted`` if it is to stop as soon as it runs."""

    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """``streak`` counts results of a probe in a row: successes up, failures down."""

    since: float
    started: bool
    ready: bool
    due: Mapping[ProbeKind, float]
    streak: Mapping[ProbeKind, int]


@dataclass(frozen=True, slots=True)
class Stopping:
    """SIGTERM at ``term_at``, SIGKILL at ``kill_at``; then the pod goes or starts again."""

    term_at: float
    kill_at: float
    deleted: bool
    since: float
    ready: bool = False
    termed: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing runs and nothing will: the pod object is removed."""


Container = Waiting | Starting | Running | Stopping | Gone


@dataclass(frozen=True, slots=True)
class PodState:
    container: Container = field(default_factory=Waiting)
    restarts: int = 0
    crashes: int = 0
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Started:
    """The process runs."""


@dataclass(frozen=True, slots=True)
class StartFailed:
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Exited:
    code: int


@dataclass(frozen=True, slots=True)
class Probed:
    kind: ProbeKind
    ok: bool


@dataclass(frozen=True, slots=True)
class DeletionSeen:
    """The pod object is being deleted, with this many seconds of grace."""

    grace: float


Event = Tick | Started | StartFailed | Exited | Probed | DeletionSeen


class Effect(Enum):
    """What the agent is to do now."""

    START = "start"
    TERMINATE = "terminate"
    KILL = "kill"
    REMOVE = "remove"
    PROBE_STARTUP = "probe-startup"
    PROBE_READINESS = "probe-readiness"
    PROBE_LIVENESS = "probe-liveness"
    SAY_UNHEALTHY = "say-unhealthy"


_PROBE_EFFECTS = {
    ProbeKind.STARTUP: Effect.PROBE_STARTUP,
    ProbeKind.READINESS: Effect.PROBE_READINESS,
    ProbeKind.LIVENESS: Effect.PROBE_LIVENESS,
}
Step = tuple[PodState, tuple[Effect, ...]]


def step(state: PodState, event: Event, *, rules: Rules, now: float) -> Step:
    """Return the state after ``event`` and what is to be done."""
    container = state.container
    match event:
        case Tick():
            return _tick(state, rules, now)
        case Started() if isinstance(container, Starting):
            if container.deleted:
                return _stop(state, now, deleted=True, grace=rules.grace, pre_stop=0.0, since=now)
            return replace(state, container=_running(rules, now)), ()
        case StartFailed(reason, message) if isinstance(container, Starting):
            if container.deleted:
                return replace(state, container=Gone()), (Effect.REMOVE,)
            crashes = state.crashes + 1
            waiting = Waiting(reason, message, now + RESTART.delay(crashes, 0.0))
            return replace(state, container=waiting, crashes=crashes), ()
        case Exited(code):
            return _exited(state, code, now)
        case Probed(kind, ok) if isinstance(container, Running):
            return _probed(state, container, kind, ok, rules, now)
        case DeletionSeen(grace):
            return _deleted(state, grace, rules, now)
        case _:
            return state, ()  # a result that comes after its time


def next_at(state: PodState) -> float | None:
    """Return when a Tick is due, None if only an event can change something."""
    match state.container:
        case Waiting(retry_at=at):
            return at
        case Running(due=due):
            return min(due.values(), default=None)
        case Stopping(term_at=term_at, kill_at=kill_at, termed=termed, killed=killed):
            if not termed:
                return min(term_at, kill_at)
            return None if killed else kill_at
        case Starting() | Gone():
            return None


def _running(rules: Rules, now: float) -> Running:
    kinds = rules.probes
    starts = ProbeKind.STARTUP in kinds
    due = {
        kind: now + probe.delay
        for kind, probe in kinds.items()
        if kind is ProbeKind.STARTUP or not starts
    }
    ready = not starts and ProbeKind.READINESS not in kinds
    return Running(now, not starts, ready, due, {})


def _tick(state: PodState, rules: Rules, now: float) -> Step:
    match state.container:
        case Waiting(retry_at=at) if now >= at:
            return replace(state, container=Starting()), (Effect.START,)
        case Running() as running:
            effects: list[Effect] = []
            due = dict(running.due)
            for kind, at in running.due.items():
                if now >= at:
                    effects.append(_PROBE_EFFECTS[kind])
                    due[kind] = now + rules.probes[kind].period
            return replace(state, container=replace(running, due=due)), tuple(effects)
        case Stopping() as stopping:
            if not stopping.killed and now >= stopping.kill_at:
                return replace(state, container=replace(stopping, termed=True, killed=True)), (
                    Effect.KILL,
                )
            if not stopping.termed and now >= stopping.term_at:
                return replace(state, container=replace(stopping, termed=True)), (Effect.TERMINATE,)
    return state, ()


def _exited(state: PodState, code: int, now: float) -> Step:
    match state.container:
        case Stopping(deleted=True):
            return replace(state, container=Gone(), exit_code=code), (Effect.REMOVE,)
        case Running(since=since) | Stopping(since=since):
            crashes = 1 if now - since >= RESET_AFTER else state.crashes + 1
            message = f"back-off after exit code {code}"
            waiting = Waiting("CrashLoopBackOff", message, now + RESTART.delay(crashes, 0.0))
            return PodState(waiting, state.restarts + 1, crashes, code), ()
        case Waiting() | Starting() | Gone():
            return state, ()


def _probed(
    state: PodState, running: Running, kind: ProbeKind, ok: bool, rules: Rules, now: float
) -> Step:
    probe = rules.probes.get(kind)
    if probe is None:
        return state, ()
    before = running.streak.get(kind, 0)
    count = max(before, 0) + 1 if ok else min(before, 0) - 1
    running = replace(running, streak={**running.streak, kind: count})
    passed, failed = count >= probe.successes, count <= -probe.failures
    if kind is ProbeKind.READINESS and (passed or failed):
        running = replace(running, ready=passed)
    if kind is ProbeKind.STARTUP and passed:
        due: dict[ProbeKind, float] = {
            other: now for other in rules.probes if other is not ProbeKind.STARTUP
        }
        ready = ProbeKind.READINESS not in rules.probes
        running = replace(running, started=True, ready=ready, due=due)
    if failed and kind is not ProbeKind.READINESS:
        stopped, effects = _stop(
            state, now, deleted=False, grace=rules.grace, pre_stop=0.0, since=running.since
        )
        return stopped, (Effect.SAY_UNHEALTHY, *effects)
    return replace(state, container=running), ()


def _deleted(state: PodState, grace: float, rules: Rules, now: float) -> Step:
    match state.container:
        case Running(since=since, ready=ready):
            stopped, effects = _stop(
                state, now, deleted=True, grace=grace, pre_stop=rules.pre_stop, since=since
            )
            assert isinstance(stopped.container, Stopping)
            return replace(stopped, container=replace(stopped.container, ready=ready)), effects
        case Stopping() as stopping:
            kill_at = min(stopping.kill_at, now + grace)
            return replace(state, container=replace(stopping, deleted=True, kill_at=kill_at)), ()
        case Starting():
            return replace(state, container=Starting(deleted=True)), ()
        case Waiting():
            return replace(state, container=Gone()), (Effect.REMOVE,)
        case Gone():
            return state, ()


def _stop(
    state: PodState, now: float, *, deleted: bool, grace: float, pre_stop: float, since: float
) -> Step:
    term_at = now + min(pre_stop, grace)
    stopping = Stopping(term_at, now + grace, deleted, since)
    return _tick(replace(state, container=stopping), Rules(), now)
