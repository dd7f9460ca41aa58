"""The life of one pod on the node, as a state machine. Pure: time comes with each event.

    Waiting --(its time has come)--> Starting --(Started)--> Running --(Exited)--> Waiting
                   Starting --(StartFailed)--> Waiting         or Ended: no restart, no way back

A deletion ends the process (preStop sleep, SIGTERM, SIGKILL after the grace period), then the pod
is removed. Restarts back off from 1 s, doubling up to 60 s (a real node: 10 s to 5 min); a run
of 2 minutes is forgiven what was before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, assert_never

from hourglass_common.domain.backoff import Backoff

from .pod_events import (
    Action,
    Deleted,
    Event,
    Exited,
    Gone,
    Probed,
    Remove,
    RunProbe,
    Say,
    Signal,
    Start,
    Started,
    StartFailed,
    Tick,
)
from .pod_spec import PodSpec, Probe, ProbeKind

RESTART_BACKOFF = Backoff(minimum=1.0, maximum=60.0, jitter=0.0)
STEADY_SECONDS = 120.0
AFTER_PRE_STOP_SECONDS = 2.0
"""What SIGTERM gets when the preStop sleep has used up the grace period."""


@dataclass(frozen=True, slots=True)
class Instant:
    """``seconds`` for deadlines, ``wall`` for the record."""

    seconds: float
    wall: datetime


# -- states ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """No process; one is started at ``until`` (seconds)."""

    reason: str
    message: str
    until: float


@dataclass(frozen=True, slots=True)
class Starting:
    """A start was asked for, and is not yet answered."""


@dataclass(frozen=True, slots=True)
class Stop:
    """When the process is told to leave, when it is made to, and what it was sent already."""

    term_at: float
    kill_at: float
    sent: Literal["nothing", "TERM", "KILL"] = "nothing"


@dataclass(frozen=True, slots=True)
class Running:
    since: Instant
    stop: Stop | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone. As a state: for good."""

    code: int
    started: Instant
    finished: Instant
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing runs and nothing will."""


@dataclass(frozen=True, slots=True)
class ProbeState:
    next_at: float
    in_flight: bool = False
    successes: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """``run`` numbers the starts: what is said of an earlier one is not heard."""

    container: Waiting | Starting | Running | Ended | Over
    run: int = 0
    restarts: int = 0
    crashes: int = 0
    last: Ended | None = None
    started: bool = False
    ready: bool = False
    grace_seconds: float | None = None
    gone: bool = False
    probes: Mapping[ProbeKind, ProbeState] = field(default_factory=dict)

    @property
    def is_deleting(self) -> bool:
        return self.grace_seconds is not None


def first_state(now: Instant, *, restarts: int = 0) -> PodState:
    """Return the state of a pod that was not run yet, or whose process was lost."""
    waiting = Waiting("ContainerCreating", "", now.seconds)
    return PodState(container=waiting, restarts=restarts)


def advance(
    state: PodState, spec: PodSpec, event: Event, now: Instant
) -> tuple[PodState, tuple[Action, ...]]:
    """Return the next state, and what is to be done, in this order."""
    actions: list[Action] = []
    state = _heard(state, spec, event, now, actions)
    state = _due(state, spec, now, actions)
    return state, tuple(actions)


def next_deadline(state: PodState, spec: PodSpec) -> float | None:
    """Return when a Tick is due (in seconds of Instant), None if only events matter."""
    match state.container:
        case Waiting(until=until):
            return until
        case Running(stop=stop):
            times = [
                state.probes[kind].next_at
                for kind in _active(state, spec)
                if not state.probes[kind].in_flight
            ]
            if stop is not None and stop.sent != "KILL":
                times.append(stop.term_at if stop.sent == "nothing" else stop.kill_at)
            return min(times, default=None)
        case _:
            return None


def _heard(
    state: PodState, spec: PodSpec, event: Event, now: Instant, actions: list[Action]
) -> PodState:
    match event:
        case Started(run=run) | StartFailed(run=run) | Exited(run=run) | Probed(run=run):
            return _answered(state, spec, event, now, actions) if run == state.run else state
        case Deleted(grace_seconds):
            return _deleted(state, spec, grace_seconds, now, actions)
        case Gone():
            return _deleted(replace(state, gone=True), spec, 0.0, now, actions)
        case Tick():
            return state
        case _:
            assert_never(event)


def _answered(
    state: PodState,
    spec: PodSpec,
    event: Started | StartFailed | Exited | Probed,
    now: Instant,
    actions: list[Action],
) -> PodState:
    match event, state.container:
        case Started(), Starting():
            return _started(state, spec, now, actions)
        case StartFailed(reason=reason, message=message), Starting():
            crashes = state.crashes + 1
            actions.append(Say("Warning", "Failed", f"{reason}: {message}"))
            until = now.seconds + RESTART_BACKOFF.delay(crashes, 0.0)
            return replace(state, container=Waiting(reason, message, until), crashes=crashes)
        case Exited(code=code), Running() as running:
            return _exited(state, running, spec, code, now, actions)
        case Probed(), Running() as running:
            return _probed(state, running, spec, event, now, actions)
        case _:
            return state


def _started(state: PodState, spec: PodSpec, now: Instant, actions: list[Action]) -> PodState:
    actions.append(Say("Normal", "Started", f"Started container {spec.container.get('name')}"))
    started = spec.probe(ProbeKind.STARTUP) is None
    running = Running(now)
    state = replace(
        state,
        container=running,
        started=started,
        ready=started and spec.probe(ProbeKind.READINESS) is None,
        probes={kind: ProbeState(now.seconds + p.initial_delay) for kind, p in spec.probes},
    )
    if state.grace_seconds is not None:
        return _stopping(state, running, spec, state.grace_seconds, now)
    return state


def _exited(
    state: PodState,
    running: Running,
    spec: PodSpec,
    code: int,
    now: Instant,
    actions: list[Action],
) -> PodState:
    ended = Ended(code, running.since, now, "Completed" if code == 0 else "Error")
    state = replace(state, started=False, ready=False, probes={})
    policy = spec.restart_policy
    restarts = policy == "Always" or (policy == "OnFailure" and code != 0)
    if state.is_deleting or not restarts:
        return replace(state, container=ended)
    steady = now.seconds - running.since.seconds >= STEADY_SECONDS
    crashes = 1 if steady else state.crashes + 1
    delay = RESTART_BACKOFF.delay(crashes, 0.0)
    name = spec.container.get("name")
    message = f"back-off {delay:g}s restarting failed container={name}, exit code {code}"
    actions.append(Say("Warning", "BackOff", f"Back-off restarting failed container {name}"))
    return replace(
        state,
        container=Waiting("CrashLoopBackOff", message, now.seconds + delay),
        restarts=state.restarts + 1,
        crashes=crashes,
        last=ended,
    )


def _deleted(
    state: PodState, spec: PodSpec, grace_seconds: float, now: Instant, actions: list[Action]
) -> PodState:
    earlier = state.grace_seconds
    if earlier is not None and grace_seconds >= earlier:
        return state
    state = replace(state, grace_seconds=grace_seconds)
    running = state.container
    if not isinstance(running, Running):
        return state
    if earlier is None:
        name = spec.container.get("name")
        actions.append(Say("Normal", "Killing", f"Stopping container {name}"))
    return _stopping(state, running, spec, grace_seconds, now)


def _stopping(
    state: PodState, running: Running, spec: PodSpec, grace_seconds: float, now: Instant
) -> PodState:
    """Set the times of the stop; a stop that is under way is only ever made shorter."""
    term_at = now.seconds + min(spec.pre_stop_seconds, grace_seconds)
    kill_at = now.seconds + grace_seconds
    if kill_at <= term_at and grace_seconds > 0:
        kill_at = term_at + AFTER_PRE_STOP_SECONDS
    before = running.stop or Stop(term_at, kill_at)
    stop = Stop(min(term_at, before.term_at), min(kill_at, before.kill_at), before.sent)
    return replace(state, container=replace(running, stop=stop))


def _probed(
    state: PodState,
    running: Running,
    spec: PodSpec,
    event: Probed,
    now: Instant,
    actions: list[Action],
) -> PodState:
    probe, before = spec.probe(event.kind), state.probes.get(event.kind)
    if probe is None or before is None:
        return state
    after = ProbeState(
        next_at=max(before.next_at, now.seconds),
        successes=before.successes + 1 if event.ok else 0,
        failures=0 if event.ok else before.failures + 1,
    )
    state = replace(state, probes={**state.probes, event.kind: after})
    if not event.ok:
        title = event.kind.value.capitalize()
        actions.append(Say("Warning", "Unhealthy", f"{title} probe failed: {event.message}"))
    passed = after.successes >= probe.success_threshold
    failed = after.failures >= probe.failure_threshold
    match event.kind:
        case ProbeKind.STARTUP if passed and not state.started:
            no_readiness = spec.probe(ProbeKind.READINESS) is None
            first = _after_startup(state.probes, now)
            return replace(state, started=True, ready=no_readiness, probes=first)
        case ProbeKind.READINESS if passed or failed:
            return replace(state, ready=passed and state.started)
        case ProbeKind.STARTUP | ProbeKind.LIVENESS if failed and running.stop is None:
            name, what = spec.container.get("name"), event.kind.value
            said = f"Container {name} failed {what} probe, will be restarted"
            actions.append(Say("Normal", "Killing", said))
            state = replace(state, ready=False)
            grace = spec.grace_seconds if probe.grace_seconds is None else probe.grace_seconds
            return _stopping(state, running, spec, grace, now)
        case _:
            return state


def _after_startup(
    probes: Mapping[ProbeKind, ProbeState], now: Instant
) -> dict[ProbeKind, ProbeState]:
    """The other probes begin once the container has started and their initial delay is over.

    The delay counts from the start of the process, so that it is often over already.
    """
    return {
        kind: replace(probe, next_at=max(probe.next_at, now.seconds))
        for kind, probe in probes.items()
    }


def _due(state: PodState, spec: PodSpec, now: Instant, actions: list[Action]) -> PodState:
    """Do what the time asks for."""
    match state.container:
        case Waiting() | Ended() if state.is_deleting:
            if not state.gone:
                actions.append(Remove())
            return replace(state, container=Over(), ready=False, started=False)
        case Waiting(until=until) if until <= now.seconds:
            run = state.run + 1
            actions.append(Start(run))
            return replace(state, container=Starting(), run=run)
        case Running(stop=stop) as running:
            if stop is not None:
                state = _signalled(state, running, stop, now, actions)
            return _probes_due(state, spec, now, actions)
        case _:
            return state


def _signalled(
    state: PodState, running: Running, stop: Stop, now: Instant, actions: list[Action]
) -> PodState:
    if stop.sent != "KILL" and stop.kill_at <= now.seconds:
        actions.append(Signal(state.run, "KILL"))
        stop = replace(stop, sent="KILL")
    elif stop.sent == "nothing" and stop.term_at <= now.seconds:
        actions.append(Signal(state.run, "TERM"))
        stop = replace(stop, sent="TERM")
    return replace(state, container=replace(running, stop=stop))


def _probes_due(state: PodState, spec: PodSpec, now: Instant, actions: list[Action]) -> PodState:
    probes = dict(state.probes)
    for kind, probe in _active(state, spec).items():
        before = probes[kind]
        if not before.in_flight and before.next_at <= now.seconds:
            actions.append(RunProbe(state.run, kind))
            probes[kind] = replace(before, in_flight=True, next_at=now.seconds + probe.period)
    return replace(state, probes=probes)


def _active(state: PodState, spec: PodSpec) -> dict[ProbeKind, Probe]:
    """Return the probes that are asked now; while the pod is stopped only its readiness.

    A container that is killed for its liveness stays not ready.
    """
    stopping = isinstance(state.container, Running) and state.container.stop is not None
    if stopping:
        kinds = {ProbeKind.READINESS} if state.started and state.is_deleting else set()
    elif state.started:
        kinds = {ProbeKind.READINESS, ProbeKind.LIVENESS}
    else:
        kinds = {ProbeKind.STARTUP}
    return {kind: probe for kind, probe in spec.probes if kind in kinds}
