"""Names are promises: clusters that run hold them."""

from typing import Any

import pytest
from hourglass_common.domain.performer import PerformerSpec, parse_performer
from hourglass_common.domain.schema import parse
from hourglass_operator.planning import naming

from tests.support.simulated_cluster import performer_manifest

GOLDEN: dict[str, tuple[dict[str, Any], str]] = {
    "minimal": ({}, "f1e18b860"),
    "everything": (
        {
            "imagePullPolicy": "Always",
            "version": "v2",
            "config": {
                "grpcPort": 8080,
                "environment": {"B": "2", "A": "1"},
                "environmentFrom": [
                    {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
                ],
                "args": ["--x"],
                "command": ["/bin/p"],
                "serviceAccountName": "sa",
            },
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": 1}},
            "scheduling": {
                "nodeSelector": {"a": "b"},
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "affinity": {"nodeAffinity": {}},
                "runtimeClass": "gvisor",
                "priorityClassName": "high",
            },
            "hardwareRequirements": {"gpuCount": 1, "gpuType": "a100", "customLabels": {"x": "y"}},
            "imagePullSecrets": [{"name": "r"}],
        },
        "c08b41606",
    ),
}


def revision(**spec: Any) -> str:
    given = {"avsAddress": "0xAb", "image": "demo:1", **spec}
    return naming.revision_of(parse(PerformerSpec, given, "spec"))


@pytest.mark.parametrize("case", GOLDEN)
def test_the_hash_of_a_spec_never_changes(case: str) -> None:
    """If this fails, an upgrade of the operator would restart every performer of every user."""
    spec, expected = GOLDEN[case]
    assert revision(**spec) == expected


@pytest.mark.parametrize(
    "written_out",
    [
        pytest.param({"imagePullPolicy": "IfNotPresent"}, id="pull policy"),
        pytest.param({"replicas": 1}, id="replicas"),
        pytest.param({"config": {}}, id="empty config"),
        pytest.param({"config": {"grpcPort": 9090}}, id="port"),
        pytest.param({"hardwareRequirements": {"gpuCount": 0}}, id="no GPUs"),
        pytest.param({"fieldOfTheFuture": {"a": 1}}, id="a field not known here"),
    ],
)
def test_a_default_written_out_is_the_same_revision(written_out: dict[str, Any]) -> None:
    assert revision(**written_out) == revision()


@pytest.mark.parametrize(
    "other", [{"replicas": 5}, {"avsAddress": "0xCd"}], ids=lambda spec: next(iter(spec))
)
def test_what_does_not_shape_the_pod_makes_no_revision(other: dict[str, Any]) -> None:
    assert revision(**other) == revision()


@pytest.mark.parametrize(
    "other",
    [
        {"image": "demo:2"},
        {"version": "2"},
        {"config": {"grpcPort": 9091}},
        {"config": {"environment": {"A": "1"}}},
        {"resources": {"limits": {"cpu": "1"}}},
        {"scheduling": {"runtimeClass": "gvisor"}},
    ],
    ids=str,
)
def test_what_shapes_the_pod_makes_a_revision(other: dict[str, Any]) -> None:
    assert revision(**other) != revision()


def test_the_order_of_environment_variables_makes_no_revision() -> None:
    one = revision(config={"environment": {"A": "1", "B": "2"}})
    assert one == revision(config={"environment": {"B": "2", "A": "1"}})


def test_names_and_endpoint_follow_the_performer() -> None:
    performer = parse_performer(performer_manifest("feed", config={"grpcPort": 8080}))
    assert naming.service_name("feed") == "performer-feed"
    assert naming.replica_set_name("feed", "abc") == "feed-abc"
    assert naming.grpc_endpoint(performer) == "performer-feed.prod.svc.cluster.local:8080"


@pytest.mark.parametrize(
    ("address", "label"),
    [
        (
            "0xABCDEF0123456789abcdef0123456789ABCDEF01",
            "0xabcdef0123456789abcdef0123456789abcdef01",
        ),
        ("my_avs", "my-avs"),
        ("a" * 80, "a" * 63),
        ("a" * 62 + "--b", "a" * 62),
        ("chain:1/0xAb", "chain-1-0xab"),
        ("___", ""),
    ],
)
def test_an_avs_address_becomes_a_valid_label_value(address: str, label: str) -> None:
    assert naming.label_value(address) == label
