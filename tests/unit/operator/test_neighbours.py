"""Services, NetworkPolicy and PodDisruptionBudget beside the ReplicaSets."""

from typing import Any

from hourglass_operator.planning.naming import staged_service_name
from hourglass_operator.planning.neighbours import covers

from tests.support.rollouts import blue_green, hash_of, settled, staged, status_of
from tests.support.simulated_cluster import SimulatedCluster


def policy_of(**spec: Any) -> dict[str, Any]:
    cluster = settled(**spec)
    assert cluster.network_policy is not None
    found = cluster.network_policy["spec"]
    assert isinstance(found, dict)
    return found


def test_executors_and_the_operator_may_reach_the_grpc_port_and_nobody_else() -> None:
    policy = policy_of(config={"grpcPort": 8080})
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["executor", "operator"]
    assert "egress" not in policy


def test_further_peers_are_let_in_and_egress_is_closed_once_rules_are_given() -> None:
    peer = {"podSelector": {"matchLabels": {"app": "grafana"}}}
    rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    policy = policy_of(network={"ingressFrom": [peer], "egress": [rule]})
    assert peer in policy["ingress"][0]["from"]
    assert policy["egress"] == [rule]
    assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_egress_rules_that_are_taken_back_open_it_again() -> None:
    cluster = settled(network={"egress": [{}]})
    cluster.change_spec(network={})
    cluster.settle()
    assert cluster.network_policy is not None
    assert cluster.network_policy["spec"]["policyTypes"] == ["Ingress"]
    assert "egress" not in cluster.network_policy["spec"]


def test_a_policy_that_was_opened_by_hand_is_closed_again() -> None:
    cluster = settled()
    assert cluster.network_policy is not None
    cluster.network_policy["spec"]["ingress"].append({})
    cluster.settle()
    assert len(cluster.network_policy["spec"]["ingress"]) == 1


def test_a_budget_stands_from_two_instances_on() -> None:
    assert settled(replicas=1).disruption_budget is None
    cluster = settled(replicas=2)
    assert cluster.disruption_budget is not None
    budget = cluster.disruption_budget["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_budget_goes_with_the_second_instance() -> None:
    cluster = settled(replicas=2)
    cluster.change_spec(replicas=1)
    cluster.settle()
    assert cluster.disruption_budget is None


def test_under_blue_green_the_budget_is_for_the_revision_in_service() -> None:
    revision = "hourglass.eigenlayer.io/revision"
    cluster = staged(replicas=2, autoPromoteAfterSeconds=60)
    assert cluster.disruption_budget is not None
    chosen = cluster.disruption_budget["spec"]["selector"]["matchLabels"]
    assert chosen[revision] == hash_of(cluster, "demo:1")
    cluster.seconds += 60
    cluster.settle()
    chosen = cluster.disruption_budget["spec"]["selector"]["matchLabels"]
    assert chosen[revision] == hash_of(cluster, "demo:2")
    cluster.change_spec(strategy={"type": "RollingUpdate"})
    cluster.settle()
    chosen = cluster.disruption_budget["spec"]["selector"]["matchLabels"]
    assert revision not in chosen


def test_a_changed_port_moves_the_policy_and_the_service() -> None:
    cluster = settled()
    cluster.change_spec(config={"grpcPort": 7000})
    cluster.settle()
    assert cluster.service is not None
    assert cluster.network_policy is not None
    assert cluster.service["spec"]["ports"][0]["port"] == 7000
    assert cluster.network_policy["spec"]["ingress"][0]["ports"][0]["port"] == 7000


def test_the_name_of_the_staged_service_is_cut_where_it_would_be_too_long() -> None:
    assert staged_service_name("demo") == "performer-demo-staged"
    one, two = staged_service_name("a" * 53), staged_service_name("a" * 52 + "b")
    assert len(one) <= 63
    assert one != two
    assert staged_service_name("x" * 46) == f"performer-{'x' * 46}-staged"


def test_what_the_api_adds_is_no_difference_but_one_more_label_is() -> None:
    have = {"ports": [{"port": 1, "protocol": "TCP"}], "selector": {"a": "b"}}
    assert covers(have, {"ports": [{"port": 1}], "selector": {"a": "b"}})
    assert not covers(have, {"selector": {}})
    assert not covers(have, {"ports": []})


def test_an_object_of_somebody_else_under_the_staged_name_blocks_blue_green_only() -> None:
    foreign = {"kind": "Service", "metadata": {"name": "performer-demo-staged"}}
    cluster = SimulatedCluster(foreign=(foreign,))
    cluster.change_spec(strategy=blue_green())
    cluster.reconcile()
    assert status_of(cluster)["phase"] == "Failed"
