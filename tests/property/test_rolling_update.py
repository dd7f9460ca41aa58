"""Whatever happens in which order: a performer converges, and a rollout costs no instance."""

from hourglass_common.kube.objects import condition
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.simulated_cluster import SimulatedCluster, performer_manifest

IMAGES = ("demo:1", "demo:2", "demo:3")


class RollingUpdate(RuleBasedStateMachine):
    """Pods only ever become ready here: what is lost is lost by the rollout."""

    @initialize(replicas=st.integers(1, 4))
    def start(self, replicas: int) -> None:
        self.cluster = SimulatedCluster(performer_manifest(replicas=replicas, image=IMAGES[0]))
        self.wanted = replicas
        self.cluster.settle()
        self.floor = replicas

    @rule(image=st.sampled_from(IMAGES))
    def change_the_image(self, image: str) -> None:
        self.cluster.change_spec(image=image)

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
    def as_many_are_ready_as_are_wanted(self) -> None:
        assert len(self.cluster.ready_pods()) >= self.floor

    def teardown(self) -> None:
        if not hasattr(self, "floor"):
            return
        self.cluster.settle()
        assert len(self.cluster.ready_pods()) == self.wanted
        image = self.cluster.performer["spec"]["image"]
        assert {p["spec"]["containers"][0]["image"] for p in self.cluster.pods.values()} == {image}
        ready = condition(self.cluster.performer, "Ready")
        assert ready is not None
        assert ready["status"] == "True"
        assert self.cluster.reconcile().actions == ()


class AnyHistory(RuleBasedStateMachine):
    """Scaling, changes and pods that come and go: afterwards it settles, and then rests."""

    @initialize()
    def start(self) -> None:
        self.cluster = SimulatedCluster()

    @rule(replicas=st.integers(0, 4), image=st.sampled_from(IMAGES))
    def change_the_spec(self, replicas: int, image: str) -> None:
        self.cluster.change_spec(replicas=replicas, image=image)

    @rule()
    def reconcile(self) -> None:
        self.cluster.reconcile()

    @rule()
    def sync_replica_sets(self) -> None:
        self.cluster.sync_replica_sets()

    @precondition(lambda self: self.cluster.pods)
    @rule(data=st.data(), ready=st.booleans())
    def a_pod_changes(self, data: st.DataObject, ready: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.cluster.pods)))
        self.cluster.set_ready(name, ready=ready)

    @precondition(lambda self: self.cluster.service is not None)
    @rule()
    def the_service_is_deleted(self) -> None:
        self.cluster.service = None

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        self.cluster.settle()
        assert len(self.cluster.ready_pods()) == self.cluster.performer["spec"].get("replicas", 1)
        assert self.cluster.performer["status"]["phase"] == "Running"
        assert self.cluster.reconcile().actions == ()


TestRollingUpdate = RollingUpdate.TestCase
TestRollingUpdate.settings = settings(max_examples=60, stateful_step_count=30)
TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=30)
