"""A pod's life under any order of events: one process at a time, and deletion always ends it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hourglass_devcluster.model.pod_events import (
    Deleted,
    Event,
    Exited,
    Gone,
    Probed,
    Remove,
    RunProbe,
    Signal,
    Start,
    Started,
    StartFailed,
    Tick,
)
from hourglass_devcluster.model.pod_spec import ProbeKind, read_pod_spec
from hourglass_devcluster.model.pod_state import Instant, Over, advance, first_state, next_deadline
from hourglass_devcluster.model.pod_status import pod_status
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

_START = datetime(2026, 1, 1, tzinfo=UTC)
_PROBE = {"tcpSocket": {"port": 1}, "periodSeconds": 2, "failureThreshold": 2}
_DELAY = 3
_SPEC = read_pod_spec(
    {
        "spec": {
            "terminationGracePeriodSeconds": 4,
            "containers": [
                {
                    "name": "main",
                    "image": "demo-performer",
                    "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
                    "startupProbe": _PROBE,
                    "readinessProbe": {**_PROBE, "initialDelaySeconds": _DELAY},
                    "livenessProbe": _PROBE,
                }
            ],
        }
    }
)


class PodLife(RuleBasedStateMachine):
    """The node around the machine: it starts, signals and probes one imagined process."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.starting: int | None = None
        self.running: int | None = None
        self.running_since = 0.0
        self.killed = False
        self.asked: list[RunProbe] = []
        self.passed_readiness: set[int] = set()
        self.removed = 0
        self.deleted = False
        self.restarts = 0
        self.state = first_state(self.instant())

    def instant(self) -> Instant:
        return Instant(self.now, _START + timedelta(seconds=self.now))

    def feed(self, event: Event) -> None:
        self.state, actions = advance(self.state, _SPEC, event, self.instant())
        for action in actions:
            match action:
                case Start(run):
                    assert self.starting is None, "started twice"
                    assert self.running is None, "a second process"
                    assert not self.deleted, "started after its deletion"
                    self.starting = run
                case RunProbe():
                    assert action.run == self.running
                    assert action not in self.asked, "asked twice at a time"
                    early = self.now < self.running_since + _DELAY
                    assert not (early and action.kind is ProbeKind.READINESS), "asked too early"
                    self.asked.append(action)
                case Signal(run, name):
                    assert run == self.running
                    self.killed |= name == "KILL"
                case Remove():
                    assert self.running is None
                    self.removed += 1

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.feed(Tick())

    @precondition(lambda self: self.starting is not None)
    @rule(works=st.booleans())
    def the_start_is_answered(self, works: bool) -> None:
        run, self.starting = self.starting, None
        assert run is not None
        self.killed = False
        if works:
            self.running, self.running_since = run, self.now
            self.feed(Started(run))
        else:
            self.feed(StartFailed(run, "ErrImagePull", "no"))

    @precondition(lambda self: self.running is not None)
    @rule(code=st.sampled_from([0, 1, 137]))
    def the_process_ends(self, code: int) -> None:
        run, self.running = self.running, None
        assert run is not None
        self.feed(Exited(run, code))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), ok=st.booleans())
    def a_probe_answers(self, data: Any, ok: bool) -> None:
        probe = data.draw(st.sampled_from(self.asked))
        self.asked.remove(probe)
        if ok and probe.kind is ProbeKind.READINESS:
            self.passed_readiness.add(probe.run)
        self.feed(Probed(probe.run, probe.kind, ok))

    @rule(grace=st.sampled_from([0.0, 1.0, 4.0]))
    def it_is_deleted(self, grace: float) -> None:
        self.deleted = True
        self.feed(Deleted(grace))

    @rule()
    def it_is_gone(self) -> None:
        self.deleted = True
        self.feed(Gone())

    @invariant()
    def ready_means_that_a_readiness_probe_passed(self) -> None:
        if self.state.ready:
            assert self.running in self.passed_readiness

    @invariant()
    def restarts_are_never_taken_back(self) -> None:
        assert self.state.restarts >= self.restarts
        self.restarts = self.state.restarts

    @invariant()
    def a_status_can_always_be_written(self) -> None:
        status = pod_status(self.state, _SPEC, {}, self.instant().wall)
        assert len(status["containerStatuses"][0]["state"]) == 1

    @invariant()
    def it_is_removed_once(self) -> None:
        assert self.removed <= 1

    def teardown(self) -> None:
        """A deletion ends everything within the grace period, even what ignores SIGTERM."""
        if not self.deleted:
            self.it_is_deleted(4.0)
        if self.starting is not None:
            self.the_start_is_answered(works=True)
        until = self.now + 8.0
        while self.running is not None and not self.killed:
            deadline = next_deadline(self.state, _SPEC)
            assert deadline is not None
            self.now = max(self.now, deadline)
            assert self.now <= until, "not killed in time"
            for probe in tuple(self.asked):
                self.asked.remove(probe)
                self.feed(Probed(probe.run, probe.kind, True))
            self.feed(Tick())
        if self.running is not None:
            self.the_process_ends(137)
        assert isinstance(self.state.container, Over)


TestPodLife = PodLife.TestCase
TestPodLife.settings = settings(max_examples=60, stateful_step_count=40)
