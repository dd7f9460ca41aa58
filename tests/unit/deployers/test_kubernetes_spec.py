import pytest
from hourglass_common.domain.errors import HourglassError
from hourglass_common.domain.performer import parse_performer
from hourglass_executor.deployers.choose import mode_for, resolved
from hourglass_executor.deployers.deployment import Artifact, Mode, object_name
from hourglass_executor.deployers.performer_objects import ready_reason
from hourglass_executor.deployers.performer_spec import object_labels, performer_spec
from hourglass_services.executor.port import EnvironmentVariable, KeyReference

from tests.support.executor_values import AVS, deployment


def test_an_image_has_its_digest_or_else_its_tag() -> None:
    assert Artifact(registry="r/x", digest="sha256:1", tag="v1").image == "r/x@sha256:1"
    assert Artifact(registry="r/x", tag="v1").image == "r/x:v1"
    assert Artifact(registry="r/x").image == "r/x"


def test_names_are_dns_labels_and_the_same_after_a_crash() -> None:
    name = object_name(AVS, "performer-1")
    assert name == object_name(AVS.upper(), "performer-1")
    assert name != object_name(AVS, "performer-2")
    assert len(name) <= 53
    assert name.replace("-", "").isalnum()
    assert name == name.lower()


def test_the_spec_is_one_that_the_crd_reads() -> None:
    given = deployment(
        environment=(
            EnvironmentVariable(name="A", value="1"),
            EnvironmentVariable(name="B", secret=KeyReference(name="s", key="k")),
            EnvironmentVariable(name="C", config_map=KeyReference(name="m", key="k")),
        ),
        service_account="runner",
        replicas=2,
    )
    spec = performer_spec(given, environment={"A": "1"}, image_pull_policy="Always")
    read = parse_performer({"metadata": {"name": "p"}, "spec": spec}).spec
    assert (read.image, read.replicas, read.image_pull_policy) == ("demo-performer:v1", 2, "Always")
    assert read.config.environment == {"A": "1", "AVS_ADDRESS": AVS, "GRPC_PORT": "9090"}
    assert [one.name for one in read.config.environment_from] == ["B", "C"]
    assert read.config.service_account_name == "runner"
    assert all(len(value) <= 63 for value in object_labels(given).values())


def test_a_variable_of_the_executors_own_environment_is_taken_or_missed() -> None:
    variable = EnvironmentVariable(name="A", value_from_env="HOST_A")
    assert resolved((variable,), {"HOST_A": "1"}) == {"A": "1"}
    with pytest.raises(HourglassError, match="HOST_A, which is not set"):
        resolved((variable,), {})


def test_the_reason_of_a_performer_that_is_not_ready_is_its_own() -> None:
    stalled = {"type": "Stalled", "status": "True", "reason": "ImagePull", "message": "no image"}
    waiting = {"type": "Ready", "status": "False", "reason": "Starting", "message": "0 of 1"}
    fine = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
    assert ready_reason({"status": {"conditions": [waiting, stalled]}}) == "ImagePull: no image"
    assert ready_reason({"status": {"conditions": [waiting]}}) == "Starting: 0 of 1"
    assert ready_reason({"status": {"conditions": [fine]}}) == ""
    assert "not reported" in ready_reason({})


def test_the_mode_of_an_avs_is_its_own_or_the_only_one(tmp_path: object) -> None:
    from pathlib import Path

    from tests.support.executor_values import settings

    folder = Path(str(tmp_path))
    other = "0x" + "9" * 40
    assert mode_for(AVS, settings(folder)) is Mode.PROCESS
    assert mode_for(other, settings(folder)) is Mode.PROCESS
    both = settings(folder, kubernetes={}, avsPerformers=[])
    with pytest.raises(HourglassError, match="several deployment modes"):
        mode_for(other, both)
    assert mode_for(other, settings(folder, processes={}, avsPerformers=[])) is Mode.DOCKER
    asked = settings(folder, processes={}, docker={}, avsPerformers=[])
    assert mode_for(other, asked) is Mode.DOCKER
