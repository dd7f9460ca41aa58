"""Every field of the CRD's spec can be reached from the executor's configuration."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hourglass_common.domain.performer import PerformerSpec, parse_performer
from hourglass_common.domain.schema import object_schema
from hourglass_executor.deployers.choose import configured, options_for
from hourglass_executor.deployers.deployment import Deployment
from hourglass_executor.deployers.performer_spec import object_labels, performer_spec
from hourglass_executor.settings import ExecutorSettings
from hourglass_executor.settings_kubernetes import SAID_ELSEWHERE
from pydantic import ValidationError

from tests.support.executor_values import AVS, settings

Json = Mapping[str, Any]
SCHEMA = object_schema(PerformerSpec)


def properties(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the path and schema of every property that holds a value, depth first."""
    for key, below in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        yield here, below
        yield from properties(below, here)


def sample(schema: Json) -> Any:
    """Return a value that fits a schema and is not its default."""
    if schema.get("x-kubernetes-int-or-string"):
        return "25%" if "pattern" in schema else "1"
    match schema["type"]:
        case "object" if "properties" in schema:
            wanted = schema.get("required") or list(schema["properties"])[:1]
            return {key: sample(schema["properties"][key]) for key in wanted}
        case "object":
            return {"name": sample(schema.get("additionalProperties", {"type": "string"}))}
        case "array":
            return [sample(schema["items"])]
        case "integer":
            default = schema.get("default", 0)
            return default + 1 if default < schema.get("maximum", 1 << 31) else default - 1
        case "boolean":
            return not schema.get("default", False)
        case _:
            words = [word for word in schema.get("enum", ()) if word]
            return words[0] if words else "2030-01-01T00:00:00Z" if "format" in schema else "one"


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def at(spec: Any, path: str) -> Any:
    for key in path.split("."):
        spec = spec[key]
    return spec


def with_options(folder: Path, **more: Any) -> ExecutorSettings:
    own, defaults = more.pop("own", {}), more.pop("defaults", {})
    performer = {
        "image": {"repository": "demo", "tag": "v1"},
        "avsAddress": AVS,
        "deploymentMode": "kubernetes",
        "kubernetes": own,
        **more,
    }
    return settings(folder, avsPerformers=[performer], kubernetes={"performerDefaults": defaults})


def spec_of(given: Deployment) -> dict[str, Any]:
    return performer_spec(given, environment={}, image_pull_policy="IfNotPresent")


def made(folder: Path, **more: Any) -> dict[str, Any]:
    (one,) = configured(with_options(folder, **more), lambda avs: f"performer-{avs}-1")
    return spec_of(one)


PATHS = [
    path
    for path, schema in properties(SCHEMA)
    if not any(f"{path}.".startswith(f"{said}.") for said in SAID_ELSEWHERE)
    and not any(said.startswith(f"{path}.") for said in SAID_ELSEWHERE)
    and not schema.get("items", {}).get("x-kubernetes-preserve-unknown-fields")
]


def test_the_walk_meets_what_users_ask_for() -> None:
    wanted = {
        "replicas",
        "strategy.type",
        "resources.limits",
        "scheduling.nodeSelector",
        "scheduling.tolerations",
        "scheduling.affinity",
        "scheduling.runtimeClass",
        "scheduling.priorityClassName",
        "hardwareRequirements.gpuCount",
        "imagePullSecrets",
        "security.profile",
        "config.grpcPort",
        "config.args",
        "config.command",
        "config.environmentFrom",
        "network.egress",
        "health.periodSeconds",
        "rollout.drainTimeoutSeconds",
    }
    assert wanted <= set(PATHS), wanted - set(PATHS)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("place", ["own", "defaults"])
def test_a_field_of_the_crd_reaches_the_performer(path: str, place: str, tmp_path: Path) -> None:
    schema = dict(properties(SCHEMA))[path]
    value = sample(schema)
    spec = made(tmp_path, **{place: nested(path, value)})
    found = at(spec, path)
    if isinstance(value, dict):
        assert value.items() <= found.items()
    else:
        assert found == value
    parse_performer({"metadata": {"name": "p"}, "spec": spec})


@pytest.mark.parametrize("path", SAID_ELSEWHERE)
def test_a_field_that_is_said_elsewhere_is_refused_with_its_place(
    path: str, tmp_path: Path
) -> None:
    value = sample(dict(properties(SCHEMA))[path])
    with pytest.raises(ValidationError, match=SAID_ELSEWHERE[path].split(":")[0].split("[")[0]):
        with_options(tmp_path, own=nested(path, value))


def test_image_version_and_avs_are_those_of_the_configured_performer(tmp_path: Path) -> None:
    spec = made(tmp_path)
    assert (spec["avsAddress"], spec["image"], spec["version"]) == (AVS, "demo:v1", "v1")


@pytest.mark.parametrize(
    ("own", "text"),
    [
        ({"resourcess": {}}, "resourcess: unknown; did you mean resources"),
        ({"resources": {"limit": {}}}, "resources.limit: unknown; did you mean limits"),
        ({"config": {"grpcPort": 70000}}, "config.grpcPort: must be at most 65535, not 70000"),
        ({"config": {"grpcPort": "9090"}}, "config.grpcPort: must be a whole number, not text"),
        ({"config": {"args": "--x"}}, "config.args: must be a list, not text"),
        ({"config": {"environment": {"A": 1}}}, "config.environment.A: must be text, not a number"),
        ({"strategy": {"type": "Canary"}}, "strategy.type: must be one of"),
        ({"spec": {"replicas": 2}}, "spec: unknown"),
        ({"scheduling": []}, "scheduling: must be a mapping, not a list"),
        ({"replicas": True}, "replicas: must be a whole number, not true"),
        ({"labels": {"app": "x"}}, "the label app is the executor's own"),
        ({"labels": {"a b": "x"}}, "is not a label"),
    ],
)
def test_what_the_crd_would_not_take_is_refused_by_name(
    own: dict[str, Any], text: str, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError) as refused:
        with_options(tmp_path, own=own)
    assert text in str(refused.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    own = {"image": "x:1", "health": {"periodSeconds": 0}, "nodeSelector": {}}
    with pytest.raises(ValidationError) as refused:
        with_options(tmp_path, own=own)
    for part in ("image: it is", "health.periodSeconds: must be at least 1", "nodeSelector: unkn"):
        assert part in str(refused.value)


def test_own_options_are_merged_over_the_defaults(tmp_path: Path) -> None:
    spec = made(
        tmp_path,
        defaults={
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
            "config": {"args": ["--a", "--b"]},
            "serviceAccountName": "all",
        },
        own={"resources": {"limits": {"cpu": 2}}, "config": {"args": ["--c"]}},
    )
    assert spec["resources"]["limits"] == {"cpu": 2, "memory": "1Gi"}
    assert spec["config"]["args"] == ["--c"]
    assert spec["config"]["serviceAccountName"] == "all"
    own = made(tmp_path, defaults={"serviceAccountName": "all"}, own={"serviceAccountName": "one"})
    assert own["config"]["serviceAccountName"] == "one"


def test_an_artifact_that_is_deployed_later_has_the_options_of_its_avs(tmp_path: Path) -> None:
    given = with_options(
        tmp_path, own={"replicas": 3}, defaults={"security": {"profile": "Baseline"}}
    )
    (one,) = configured(given, lambda _: "p")
    assert options_for(AVS, given) == one.options
    other = options_for("0x" + "9" * 40, given)
    assert "Baseline" in other
    assert "replicas" not in other


def test_the_port_is_told_to_the_performer(tmp_path: Path) -> None:
    spec = made(tmp_path, own={"config": {"grpcPort": 7070, "environment": {"A": "1"}}})
    assert spec["config"]["environment"] == {"AVS_ADDRESS": AVS, "GRPC_PORT": "7070", "A": "1"}


def test_replicas_are_given_in_one_place(tmp_path: Path) -> None:
    assert made(tmp_path, replicas=2)["replicas"] == 2
    assert made(tmp_path, own={"replicas": 2})["replicas"] == 2
    assert made(tmp_path, replicas=2, defaults={"replicas": 5})["replicas"] == 2
    assert made(tmp_path)["replicas"] == 1
    with pytest.raises(ValidationError, match="replicas is given twice"):
        made(tmp_path, replicas=2, own={"replicas": 2})


def test_labels_are_the_objects_own(tmp_path: Path) -> None:
    given = with_options(
        tmp_path, own={"labels": {"team": "a"}}, defaults={"labels": {"team": "b", "env": "test"}}
    )
    (one,) = configured(given, lambda _: "p")
    labels = object_labels(one)
    assert (labels["team"], labels["env"]) == ("a", "test")
    assert labels["app"] == "hourglass-performer"


def test_a_performer_that_is_followed_is_taken_as_it_is(tmp_path: Path) -> None:
    given = with_options(tmp_path, own={"performerName": "demo"})
    (one,) = configured(given, lambda _: "p")
    assert (one.follows, one.options) == ("demo", "")
    with pytest.raises(ValidationError, match="followed as it is"):
        with_options(tmp_path, own={"performerName": "demo", "replicas": 2})


def test_changed_options_are_another_workload(tmp_path: Path) -> None:
    (before,) = configured(with_options(tmp_path), lambda _: "p")
    (after,) = configured(with_options(tmp_path, own={"replicas": 2}), lambda _: "p")
    assert not before.asks_for_the_same(after)
