"""The life of a pod, on virtual time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hourglass_devcluster.model.pod_events import (
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
from hourglass_devcluster.model.pod_spec import (
    GrpcCheck,
    PodSpec,
    Probe,
    ProbeKind,
    read_pod_spec,
)
from hourglass_devcluster.model.pod_state import (
    Ended,
    Instant,
    Over,
    PodState,
    Running,
    Waiting,
    advance,
    first_state,
    next_deadline,
)
from hourglass_devcluster.model.pod_status import lost_restarts, pod_status

_START = datetime(2026, 1, 1, tzinfo=UTC)


class Life:
    """A pod under test: events in, actions out (without what is only said)."""

    def __init__(self, spec: PodSpec, restarts: int = 0) -> None:
        self.spec = spec
        self.now = 0.0
        self.said: list[str] = []
        self.state: PodState = first_state(self.instant, restarts=restarts)

    @property
    def instant(self) -> Instant:
        return Instant(self.now, _START + timedelta(seconds=self.now))

    def feed(self, event: Event, after: float = 0.0) -> list[Action]:
        self.now += after
        self.state, actions = advance(self.state, self.spec, event, self.instant)
        self.said += [each.reason for each in actions if isinstance(each, Say)]
        return [each for each in actions if not isinstance(each, Say)]

    def run(self) -> None:
        (start,) = self.feed(Tick())
        assert isinstance(start, Start)
        self.feed(Started(start.run))

    def is_ready(self) -> bool:
        return self.state.ready

    @property
    def waiting(self) -> Waiting:
        assert isinstance(self.state.container, Waiting)
        return self.state.container

    def status(self, before: Any = None) -> dict[str, Any]:
        return pod_status(self.state, self.spec, before or {}, self.instant.wall)


def spec_of(**container: Any) -> PodSpec:
    body = {"name": "main", "image": "demo-performer", **container}
    return read_pod_spec({"spec": {"containers": [body], "terminationGracePeriodSeconds": 30}})


def probe(**more: Any) -> dict[str, Any]:
    return {"grpc": {"port": 9090}, "periodSeconds": 5, "failureThreshold": 2, **more}


def test_without_probes_a_running_pod_is_ready() -> None:
    life = Life(spec_of())
    life.run()
    assert life.state.ready
    assert life.status()["phase"] == "Running"


def test_the_back_off_doubles_up_to_a_minute() -> None:
    life = Life(spec_of())
    delays = []
    for run in range(1, 10):
        life.run()
        life.feed(Exited(run, 1))
        delays.append(life.waiting.until - life.now)
        until = life.waiting.until
        life.now = until - 0.01
        assert life.feed(Tick()) == []
        life.now = until
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert life.state.restarts == 9


def test_a_long_run_is_forgiven_what_was_before() -> None:
    life = Life(spec_of())
    for run in (1, 2, 3):
        life.run()
        life.feed(Exited(run, 1))
        life.now = life.waiting.until
    life.run()
    life.feed(Exited(4, 1), 121)
    assert life.waiting.until - life.now == 1


def test_a_start_that_fails_is_tried_again() -> None:
    life = Life(spec_of())
    life.feed(Tick())
    life.feed(StartFailed(1, "ErrImagePull", "no such image"))
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    assert life.status()["containerStatuses"][0]["state"] == {"waiting": waiting}
    assert life.status()["phase"] == "Pending"
    assert life.state.restarts == 0
    assert life.feed(Tick(), 1) == [Start(2)]


def test_readiness_and_liveness_wait_for_the_startup_probe() -> None:
    life = Life(spec_of(startupProbe=probe(), readinessProbe=probe(), livenessProbe=probe()))
    life.feed(Tick())
    assert life.feed(Started(1)) == [RunProbe(1, ProbeKind.STARTUP)]
    asked = life.feed(Probed(1, ProbeKind.STARTUP, True), 1)
    assert set(asked) == {RunProbe(1, ProbeKind.READINESS), RunProbe(1, ProbeKind.LIVENESS)}
    assert not life.is_ready()
    life.feed(Probed(1, ProbeKind.READINESS, True))
    assert life.is_ready()


def test_readiness_is_asked_at_once_after_startup_whatever_its_period() -> None:
    eager, calm = probe(periodSeconds=1, failureThreshold=60), probe(periodSeconds=5)
    life = Life(spec_of(startupProbe=eager, readinessProbe=calm))
    life.run()
    for _ in range(3):
        life.feed(Probed(1, ProbeKind.STARTUP, False, "not yet"), 0.2)
        assert life.feed(Tick(), 0.8) == [RunProbe(1, ProbeKind.STARTUP)]
    assert life.feed(Probed(1, ProbeKind.STARTUP, True), 0.3) == [RunProbe(1, ProbeKind.READINESS)]
    life.feed(Probed(1, ProbeKind.READINESS, True), 0.1)
    assert life.is_ready()
    assert next_deadline(life.state, life.spec) == pytest.approx(life.now - 0.1 + 5)


@pytest.mark.parametrize(("passed_at", "asked_at"), [(3, 10), (12, 12)])
def test_an_initial_delay_counts_from_the_start_of_the_process(
    passed_at: float, asked_at: float
) -> None:
    late = probe(initialDelaySeconds=10)
    life = Life(spec_of(startupProbe=probe(), readinessProbe=late, livenessProbe=late))
    life.run()
    asked = life.feed(Probed(1, ProbeKind.STARTUP, True), passed_at)
    if asked_at > passed_at:
        assert asked == []
        assert next_deadline(life.state, life.spec) == asked_at
        asked = life.feed(Tick(), asked_at - passed_at)
    assert set(asked) == {RunProbe(1, ProbeKind.READINESS), RunProbe(1, ProbeKind.LIVENESS)}


def test_a_startup_probe_waits_for_its_delay_and_restarts_at_its_threshold() -> None:
    life = Life(spec_of(startupProbe=probe(initialDelaySeconds=2, periodSeconds=1)))
    life.feed(Tick())
    assert life.feed(Started(1)) == []
    assert life.feed(Tick(), 2) == [RunProbe(1, ProbeKind.STARTUP)]
    assert life.feed(Probed(1, ProbeKind.STARTUP, False)) == []
    assert life.feed(Tick(), 1) == [RunProbe(1, ProbeKind.STARTUP)]
    assert life.feed(Probed(1, ProbeKind.STARTUP, False)) == [Signal(1, "TERM")]
    life.feed(Exited(1, 143), 1)
    assert life.waiting.reason == "CrashLoopBackOff"


def test_a_probe_may_give_less_time_to_end_than_the_pod() -> None:
    strict = probe(failureThreshold=1, terminationGracePeriodSeconds=4)
    life = Life(spec_of(livenessProbe=strict))
    life.run()
    assert life.feed(Probed(1, ProbeKind.LIVENESS, False)) == [Signal(1, "TERM")]
    assert life.feed(Tick(), 4) == [Signal(1, "KILL")]


def test_a_probe_is_read_with_all_of_its_times() -> None:
    given = {
        "grpc": {"port": "grpc", "service": "eigenlayer.Performer"},
        "initialDelaySeconds": 3,
        "periodSeconds": 7,
        "timeoutSeconds": 2,
        "failureThreshold": 9,
        "successThreshold": 4,
    }
    assert spec_of(readinessProbe=given).probe(ProbeKind.READINESS) == Probe(
        check=GrpcCheck("grpc", "eigenlayer.Performer"),
        initial_delay=3.0,
        period=7.0,
        timeout=2.0,
        failure_threshold=9,
        success_threshold=4,
    )


def test_readiness_is_lost_after_the_threshold_only() -> None:
    life = Life(spec_of(readinessProbe=probe()))
    life.run()
    life.feed(Probed(1, ProbeKind.READINESS, True))
    life.feed(Tick(), 5)
    life.feed(Probed(1, ProbeKind.READINESS, False, "down"))
    assert life.is_ready()
    life.feed(Tick(), 5)
    life.feed(Probed(1, ProbeKind.READINESS, False, "down"))
    assert not life.is_ready()
    assert isinstance(life.state.container, Running)


def test_a_probe_is_not_made_again_before_it_has_answered() -> None:
    life = Life(spec_of(readinessProbe=probe()))
    life.run()
    assert life.feed(Tick(), 60) == []
    assert life.feed(Probed(1, ProbeKind.READINESS, True)) == [RunProbe(1, ProbeKind.READINESS)]


def test_a_failed_liveness_probe_restarts_the_container() -> None:
    life = Life(spec_of(livenessProbe=probe()))
    life.run()
    life.feed(Probed(1, ProbeKind.LIVENESS, False))
    life.feed(Tick(), 5)
    assert life.feed(Probed(1, ProbeKind.LIVENESS, False)) == [Signal(1, "TERM")]
    assert not life.state.ready
    assert life.feed(Tick(), 30) == [Signal(1, "KILL")]
    life.feed(Exited(1, 137))
    assert life.state.restarts == 1
    assert life.waiting.reason == "CrashLoopBackOff"


def test_a_deleted_pod_sleeps_then_is_told_then_is_killed() -> None:
    life = Life(spec_of(lifecycle={"preStop": {"sleep": {"seconds": 3}}}))
    life.run()
    assert life.feed(Deleted(10)) == []
    assert life.state.ready  # it serves on while the endpoints spread
    assert next_deadline(life.state, life.spec) == 3
    assert life.feed(Tick(), 3) == [Signal(1, "TERM")]
    assert life.feed(Tick(), 6.9) == []
    assert life.feed(Tick(), 0.1) == [Signal(1, "KILL")]
    assert life.feed(Exited(1, 137)) == [Remove()]
    assert isinstance(life.state.container, Over)


def test_a_pre_stop_as_long_as_the_grace_leaves_two_seconds_for_sigterm() -> None:
    life = Life(spec_of(lifecycle={"preStop": {"sleep": {"seconds": 60}}}))
    life.run()
    life.feed(Deleted(5))
    assert life.feed(Tick(), 5) == [Signal(1, "TERM")]
    assert life.feed(Tick(), 2) == [Signal(1, "KILL")]


def test_a_second_deletion_only_shortens_the_first() -> None:
    life = Life(spec_of())
    life.run()
    assert life.feed(Deleted(30)) == [Signal(1, "TERM")]
    assert life.feed(Deleted(60), 1) == []
    assert life.feed(Deleted(0), 1) == [Signal(1, "KILL")]


def test_a_pod_that_left_the_api_is_killed_and_not_removed() -> None:
    life = Life(spec_of())
    life.run()
    assert life.feed(Gone()) == [Signal(1, "KILL")]
    assert life.feed(Exited(1, 137)) == []
    assert isinstance(life.state.container, Over)


def test_a_deletion_while_it_starts_is_not_lost() -> None:
    life = Life(spec_of())
    life.feed(Tick())
    assert life.feed(Deleted(5)) == []
    assert life.feed(Started(1)) == [Signal(1, "TERM")]
    assert life.feed(Exited(1, 0)) == [Remove()]


def test_a_deletion_during_the_back_off_starts_nothing() -> None:
    life = Life(spec_of())
    life.run()
    life.feed(Exited(1, 1))
    assert life.feed(Deleted(30)) == [Remove()]
    assert life.feed(Tick(), 100) == []


def test_what_is_said_of_an_earlier_run_is_not_heard() -> None:
    life = Life(spec_of(readinessProbe=probe()))
    life.run()
    life.feed(Exited(1, 1))
    life.feed(Tick(), 1)
    life.feed(Started(2))
    life.feed(Probed(1, ProbeKind.READINESS, True))
    assert not life.state.ready
    life.feed(Exited(1, 1))
    assert isinstance(life.state.container, Running)


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 3, "Failed"), ("OnFailure", 0, "Succeeded")],
)
def test_a_pod_that_is_not_restarted_has_ended(policy: str, code: int, phase: str) -> None:
    body = {"restartPolicy": policy, "containers": [{"name": "main", "image": "x"}]}
    life = Life(read_pod_spec({"spec": body}))
    life.run()
    assert life.feed(Exited(1, code)) == []
    assert isinstance(life.state.container, Ended)
    status = life.status()
    assert status["phase"] == phase
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code
    assert life.feed(Tick(), 100) == []


def test_conditions_keep_the_time_of_their_last_change() -> None:
    life = Life(spec_of(readinessProbe=probe()))
    life.run()
    first = life.status()
    life.feed(Probed(1, ProbeKind.READINESS, True), 5)
    then = {each["type"]: each for each in life.status(first)["conditions"]}
    assert then["Ready"]["lastTransitionTime"] == "2026-01-01T00:00:05Z"
    assert then["PodScheduled"]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert life.status(first)["startTime"] == "2026-01-01T00:00:00Z"


def test_a_process_that_the_node_has_lost_counts_as_a_restart() -> None:
    life = Life(spec_of(), restarts=2)
    life.run()
    pod = {"status": life.status()}
    assert lost_restarts(pod) == 3
    life.feed(Exited(1, 1))
    assert lost_restarts({"status": life.status()}) == 3
    assert lost_restarts({}) == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"initContainers": [{"name": "a"}]}, "init containers"),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, "more than one"),
        (
            {
                "containers": [{"name": "a", "volumeMounts": [{"name": "v"}]}],
                "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            },
            "volume v",
        ),
    ],
)
def test_what_a_process_can_not_do_is_said(change: dict[str, Any], why: str) -> None:
    spec = read_pod_spec({"spec": {"containers": [{"name": "a"}], **change}})
    assert why in spec.trouble


def test_a_pod_that_ends_because_it_is_deleted_did_not_crash() -> None:
    life = Life(spec_of())
    life.run()
    life.feed(Deleted(30))
    life.feed(Exited(1, 143), 1)
    assert life.state.restarts == 0
    assert "BackOff" not in life.said


def test_a_deletion_gives_a_failed_container_no_more_time_than_it_had() -> None:
    life = Life(spec_of(livenessProbe=probe(failureThreshold=1)))
    life.run()
    assert life.feed(Probed(1, ProbeKind.LIVENESS, False)) == [Signal(1, "TERM")]
    assert life.feed(Deleted(60), 10) == []
    assert life.feed(Tick(), 20) == [Signal(1, "KILL")]
