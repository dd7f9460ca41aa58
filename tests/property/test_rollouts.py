"""Whatever is asked for, in whatever order: what serves is never taken away."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.rollouts import decide, report, status_of
from tests.support.simulated_cluster import SimulatedCluster, performer_manifest

IMAGES = ("demo:1", "demo:2", "demo:3")
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"type": "RollingUpdate"},
    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
    {"type": "BlueGreen"},
    {"type": "BlueGreen", "blueGreen": {"autoPromoteAfterSeconds": 0}},
    {"type": "BlueGreen", "blueGreen": {"autoPromoteAfterSeconds": 5, "abortAfterSeconds": 9}},
)


class Rollouts(RuleBasedStateMachine):
    """Pods only ever become ready here: what is lost is lost by the operator."""

    @initialize(replicas=st.integers(1, 3), strategy=st.sampled_from(STRATEGIES))
    def start(self, replicas: int, strategy: dict[str, Any]) -> None:
        self.cluster = SimulatedCluster(performer_manifest(replicas=replicas, strategy=strategy))
        self.cluster.settle()
        self.wanted = replicas

    @rule(image=st.sampled_from(IMAGES))
    def change_the_image(self, image: str) -> None:
        self.cluster.change_spec(image=image)

    @rule(strategy=st.sampled_from(STRATEGIES))
    def change_the_strategy(self, strategy: dict[str, Any]) -> None:
        self.cluster.change_spec(strategy=strategy)

    @rule(action=st.sampled_from(["Promote", "Abort", "Rollback"]))
    def somebody_decides(self, action: str) -> None:
        decide(self.cluster, action)

    @rule()
    def a_manifest_without_decision_and_number_is_put_over_it(self) -> None:
        for field in ("rollout", "replicas"):
            self.cluster.performer["spec"].pop(field, None)
        self.cluster.performer["metadata"]["generation"] += 1

    @rule(data=st.data(), count=st.integers(0, 2))
    def an_executor_reports(self, data: st.DataObject, count: int) -> None:
        hashes = [each["hash"] for each in status_of(self.cluster).get("revisions", ())]
        if hashes:
            report(self.cluster, "one", data.draw(st.sampled_from(sorted(hashes))), count)

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.cluster.seconds += seconds

    @rule()
    def reconcile(self) -> None:
        self.cluster.reconcile()

    @rule()
    def sync_replica_sets(self) -> None:
        self.cluster.sync_replica_sets()

    @precondition(lambda self: self.cluster.waiting_pods())
    @rule(data=st.data())
    def a_pod_becomes_ready(self, data: st.DataObject) -> None:
        self.cluster.set_ready(data.draw(st.sampled_from(sorted(self.cluster.waiting_pods()))))

    @invariant()
    def as_many_serve_as_are_wanted(self) -> None:
        assert len(self.cluster.serving_pods()) >= self.wanted

    def teardown(self) -> None:
        if not hasattr(self, "wanted"):
            return
        self.cluster.settle()
        assert self.cluster.reconcile().actions == ()
        status = status_of(self.cluster)
        serving = {
            str(self.cluster.pods[name]["metadata"]["labels"]["hourglass.eigenlayer.io/revision"])
            for name in self.cluster.serving_pods()
        }
        assert serving == {status["inServiceRevision"]}
        assert len(self.cluster.serving_pods()) == self.wanted
        promotions = [
            found["metadata"]["annotations"].get("hourglass.eigenlayer.io/promotion")
            for found in self.cluster.replica_sets.values()
        ]
        numbers = [number for number in promotions if number]
        assert len(numbers) == len(set(numbers))


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(max_examples=80, stateful_step_count=40)
