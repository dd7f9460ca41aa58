"""The objects that a Performer becomes."""

from typing import Any

import pytest
from hourglass_common.domain.performer import parse_performer
from hourglass_operator.planning import manifests
from hourglass_operator.planning.observed import Defaults

from tests.support.simulated_cluster import PERFORMER_UID, performer_manifest


def pod_of(**spec: Any) -> dict[str, Any]:
    performer = parse_performer(performer_manifest(**spec))
    return manifests.pod_spec(performer.spec, Defaults())


def container_of(**spec: Any) -> dict[str, Any]:
    (container,) = pod_of(**spec)["containers"]
    assert isinstance(container, dict)
    return container


def test_the_service_selects_serving_pods_and_the_replica_set_does_not_care() -> None:
    performer = parse_performer(performer_manifest())
    service = manifests.service(performer)
    found = manifests.replica_set(performer, "abc", 1)
    worn = found["spec"]["template"]["metadata"]["labels"]
    serving = "hourglass.eigenlayer.io/serving"
    assert service["spec"]["selector"][serving] == "true"
    assert service["spec"]["selector"].items() <= worn.items()
    assert found["spec"]["selector"]["matchLabels"].items() <= worn.items()
    assert serving not in found["spec"]["selector"]["matchLabels"]


def test_children_are_controlled_by_the_performer() -> None:
    performer = parse_performer(performer_manifest())
    for child in (manifests.service(performer), manifests.replica_set(performer, "abc", 1)):
        (owner,) = child["metadata"]["ownerReferences"]
        assert owner["uid"] == PERFORMER_UID
        assert owner["controller"] is True
        assert owner["blockOwnerDeletion"] is True


def test_a_changed_avs_address_does_not_change_the_selectors() -> None:
    one = manifests.service(parse_performer(performer_manifest(avsAddress="0x1")))
    two = manifests.service(parse_performer(performer_manifest(avsAddress="0x2")))
    assert one["spec"] == two["spec"]


def test_a_pod_is_confined() -> None:
    pod = pod_of()
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = pod["containers"][0]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_a_named_service_account_gets_its_token() -> None:
    pod = pod_of(config={"serviceAccountName": "signer"})
    assert pod["serviceAccountName"] == "signer"
    assert pod["automountServiceAccountToken"] is True


def test_probes_ask_the_grpc_port_each_second_until_ready() -> None:
    container = container_of(config={"grpcPort": 8080})
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"] == {"port": 8080}
    assert container["startupProbe"]["periodSeconds"] == 1
    assert container["startupProbe"]["failureThreshold"] >= 60
    assert container["readinessProbe"]["periodSeconds"] == 5
    assert container["ports"] == [{"name": "grpc", "containerPort": 8080, "protocol": "TCP"}]


def test_a_process_gets_time_to_finish_its_tasks() -> None:
    pod = pod_of()
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < sleep < pod["terminationGracePeriodSeconds"]


def test_the_environment_has_one_order_and_names_the_port() -> None:
    environment = container_of(config={"environment": {"B": "2", "A": "1"}})["env"]
    assert environment == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "2"},
        {"name": "GRPC_PORT", "value": "9090"},
    ]


def test_the_users_own_port_variable_wins() -> None:
    environment = container_of(config={"environment": {"GRPC_PORT": "1"}})["env"]
    assert environment == [{"name": "GRPC_PORT", "value": "1"}]


def test_a_referred_variable_wins_over_a_plain_one_of_its_name() -> None:
    reference = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    config = {"environment": {"KEY": "plain"}, "environmentFrom": [reference]}
    assert [e for e in container_of(config=config)["env"] if e["name"] == "KEY"] == [reference]


@pytest.mark.parametrize(
    ("hardware", "resource"),
    [({"gpuCount": 2}, "nvidia.com/gpu"), ({"gpuCount": 2, "gpuType": "a100"}, "nvidia.com/a100")],
    ids=["any GPU", "a kind of GPU"],
)
def test_gpus_are_requested_and_limited(hardware: dict[str, Any], resource: str) -> None:
    resources = container_of(hardwareRequirements=hardware, resources={"limits": {"cpu": "1"}})[
        "resources"
    ]
    assert resources["limits"] == {"cpu": "1", resource: "2"}
    assert resources["requests"] == {resource: "2"}


def test_scheduling_is_passed_on() -> None:
    toleration = {"key": "k", "operator": "Exists", "effect": "NoSchedule"}
    affinity: dict[str, Any] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}
    }
    pod = pod_of(
        scheduling={
            "nodeSelector": {"a": "b"},
            "tolerations": [toleration],
            "affinity": affinity,
            "runtimeClass": "gvisor",
            "priorityClassName": "high",
        },
        hardwareRequirements={"customLabels": {"pool": "gpu"}},
        imagePullSecrets=[{"name": "registry"}],
    )
    assert pod["nodeSelector"] == {"a": "b", "pool": "gpu"}
    assert pod["tolerations"] == [toleration]
    assert pod["affinity"] == affinity
    assert pod["runtimeClassName"] == "gvisor"
    assert pod["priorityClassName"] == "high"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_what_is_not_given_is_not_sent() -> None:
    pod = pod_of()
    assert not pod.keys() & {"nodeSelector", "tolerations", "affinity", "runtimeClassName"}
    assert not container_of().keys() & {"command", "args", "resources"}


def test_of_a_name_given_twice_the_last_counts() -> None:
    """The reference took such objects; lists keyed by name do not."""
    one, two = (
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": key}}}
        for key in ("1", "2")
    )
    pod = pod_of(
        config={"environmentFrom": [one, two]}, imagePullSecrets=[{"name": "r"}, {"name": "r"}]
    )
    assert [e for e in pod["containers"][0]["env"] if e["name"] == "KEY"] == [two]
    assert pod["imagePullSecrets"] == [{"name": "r"}]
