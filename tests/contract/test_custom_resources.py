"""What the schema of Performer promises, and the status and scale subresources."""

from typing import Any

import pytest
from hourglass_common.kube.resources import PERFORMERS, PODS, REPLICA_SETS, SERVICES

from tests.support.covers import covers
from tests.support.kube_requests import Answer, KubeRequests, eventually
from tests.support.kube_samples import performer, pod, replica_set, service

CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Test",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
STATUS = {"phase": "Running", "replicas": 2, "selector": "app=x", "conditions": [CONDITION]}


async def test_defaults_are_filled_in(api: KubeRequests, space: str) -> None:
    spec = (await api.create(PERFORMERS, space, performer(config={}))).ok()["spec"]
    assert spec["imagePullPolicy"] == "IfNotPresent"
    assert spec["config"]["grpcPort"] == 9090
    bare = (await api.create(PERFORMERS, space, performer("bare"))).ok()["spec"]
    assert ("config" in bare) == (
        "config" in (await api.get(PERFORMERS, space, "bare")).ok()["spec"]
    )


async def test_unknown_fields_are_pruned_or_refused_when_asked(
    api: KubeRequests, space: str
) -> None:
    body = performer(nonsense=1)
    made = (await api.create(PERFORMERS, space, body)).ok()
    assert "nonsense" not in made["spec"]
    strict = await api.create(
        PERFORMERS, space, performer("two", nonsense=1), fieldValidation="Strict"
    )
    refused = strict.refused(400, "BadRequest")
    assert 'unknown field "spec.nonsense"' in refused.message


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"replicas": "three"}, "spec.replicas"),
        ({"image": ""}, "spec.image"),
        ({"image": None}, "spec.image"),
        ({"imagePullPolicy": "Sometimes"}, "spec.imagePullPolicy"),
        ({"config": {"grpcPort": 70000}}, "spec.config.grpcPort"),
        ({"config": {"args": [1]}}, "spec.config.args[0]"),
        ({"version": "v" * 254}, "spec.version"),
    ],
)
async def test_a_value_outside_the_schema_is_invalid_and_named(
    api: KubeRequests, space: str, spec: dict[str, Any], field: str
) -> None:
    refused = (await api.create(PERFORMERS, space, performer(**spec))).refused(422, "Invalid")
    assert field in refused.causes
    assert field in refused.message
    assert refused.body["details"]["group"] == "hourglass.eigenlayer.io"
    assert refused.body["details"]["kind"] == "Performer"


async def test_a_body_without_spec_is_invalid(api: KubeRequests, space: str) -> None:
    refused = await api.create(PERFORMERS, space, {"metadata": {"name": "p"}})
    assert "spec" in refused.refused(422, "Invalid").causes


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"hardwareRequirements": {"teeRequired": True}}, "teeRequired needs a teeType"),
        ({"hardwareRequirements": {"gpuType": "a100"}}, "gpuType needs a gpuCount"),
        (
            {"config": {"environment": {"1BAD": "x"}}},
            "names of environment variables consist of",
        ),
    ],
)
async def test_a_broken_rule_is_invalid_with_its_own_message(
    api: KubeRequests, space: str, spec: dict[str, Any], message: str
) -> None:
    refused = (await api.create(PERFORMERS, space, performer(**spec))).refused(422, "Invalid")
    assert any(message in text for text in refused.causes.values())


async def test_a_name_that_no_service_could_carry_is_refused_by_rule(
    api: KubeRequests, space: str
) -> None:
    (await api.create(PERFORMERS, space, performer("p" * 53))).ok()
    for name in ("p" * 54, "dotted.name"):
        refused = (await api.create(PERFORMERS, space, performer(name))).refused(422, "Invalid")
        assert "at most 53 characters" in refused.message


async def test_an_invalid_patch_changes_nothing(api: KubeRequests, space: str) -> None:
    version = (await api.create(PERFORMERS, space, performer())).version
    for kind in ("merge", "apply"):
        body = {**performer(replicas=-1)}
        if kind == "apply":
            answer = await api.apply(PERFORMERS, space, body, force="true")
        else:
            answer = await api.patch(kind, PERFORMERS, space, "perf", {"spec": {"replicas": -1}})
        assert "spec.replicas" in answer.refused(422, "Invalid").causes
    assert (await api.get(PERFORMERS, space, "perf")).version == version


async def test_the_generation_counts_changes_of_spec_only(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())

    async def patched(patch: dict[str, Any], sub: str = "") -> int:
        answer = await api.patch("merge", PERFORMERS, space, "perf", patch, sub)
        generation: int = answer.ok()["metadata"]["generation"]
        return generation

    assert await patched({"metadata": {"labels": {"a": "b"}}}) == 1
    assert await patched({"spec": {"image": "demo:1"}}) == 1
    assert await patched({"status": {**STATUS, "observedGeneration": 1}}, "status") == 1
    assert await patched({"spec": {"image": "demo:2"}}) == 2
    kept = (await api.get(PERFORMERS, space, "perf")).ok()
    assert kept["status"]["observedGeneration"] == 1


@covers(
    "patch performers.hourglass.eigenlayer.io/status merge",
    "update performers.hourglass.eigenlayer.io/status",
    "get performers.hourglass.eigenlayer.io/status",
)
async def test_status_and_spec_are_written_apart(api: KubeRequests, space: str) -> None:
    made = (await api.create(PERFORMERS, space, {**performer(), "status": STATUS})).ok()
    assert made["status"] == {"observedGeneration": -1}  # the schema's default, and no more
    mixed = {"spec": {"image": "x:1"}, "status": STATUS, "metadata": {"labels": {"x": "y"}}}
    by_status = (await api.patch("merge", PERFORMERS, space, "perf", mixed, "status")).ok()
    assert by_status["spec"]["image"] == "demo:1"
    assert by_status["status"]["phase"] == "Running"
    assert "labels" not in by_status["metadata"]
    by_spec = {"spec": {"image": "x:1"}, "status": {"phase": "Failed"}}
    after = (await api.patch("merge", PERFORMERS, space, "perf", by_spec)).ok()
    assert (after["spec"]["image"], after["status"]["phase"]) == ("x:1", "Running")
    after["status"]["phase"] = "Failed"
    after["spec"]["image"] = "y:1"
    put = (await api.replace(PERFORMERS, space, after, "status")).ok()
    assert (put["spec"]["image"], put["status"]["phase"]) == ("x:1", "Failed")
    stale = await api.replace(PERFORMERS, space, after, "status")
    stale.refused(409, "Conflict")
    read = (await api.get(PERFORMERS, space, "perf", "status")).ok()
    assert read["status"]["phase"] == "Failed"
    wrong = {"status": {"phase": "Nonsense"}}
    refused = await api.patch("merge", PERFORMERS, space, "perf", wrong, "status")
    assert "status.phase" in refused.refused(422, "Invalid").causes


@covers("patch pods/status merge", "patch pods/status strategic", "update pods/status")
async def test_the_status_of_a_pod_is_written_apart(api: KubeRequests, space: str) -> None:
    await api.create(PODS, space, pod())
    ready = {"type": "Ready", "status": "True"}
    patch = {
        "metadata": {"labels": {"x": "y"}},
        "status": {"phase": "Running", "podIP": "10.1.1.1", "conditions": [ready]},
    }
    running = (await api.patch("merge", PODS, space, "pod", patch, "status")).ok()
    assert running["status"]["phase"] == "Running"
    more = {"status": {"conditions": [{"type": "Initialized", "status": "True"}]}}
    both = (await api.patch("strategic", PODS, space, "pod", more, "status")).ok()
    assert {c["type"] for c in both["status"]["conditions"]} == {"Ready", "Initialized"}
    both["spec"]["containers"][0]["image"] = "other:1"
    both["status"]["message"] = "said"
    put = (await api.replace(PODS, space, both, "status")).ok()
    assert put["spec"]["containers"][0]["image"] == "demo:1"
    assert put["status"]["message"] == "said"
    spec = {"status": {"phase": "Failed"}, "metadata": {"labels": {"z": "1"}}}
    after = (await api.patch("merge", PODS, space, "pod", spec)).ok()
    assert after["status"]["phase"] == "Running"
    assert after["metadata"]["labels"]["z"] == "1"


@covers(
    "get performers.hourglass.eigenlayer.io/scale",
    "update performers.hourglass.eigenlayer.io/scale",
    "patch performers.hourglass.eigenlayer.io/scale merge",
)
async def test_a_performer_is_scaled(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer(replicas=2))
    await api.patch("merge", PERFORMERS, space, "perf", {"status": STATUS}, "status")
    scale = (await api.get(PERFORMERS, space, "perf", "scale")).ok()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 2, "selector": "app=x"}
    scale["spec"]["replicas"] = 3
    put = (await api.replace(PERFORMERS, space, scale, "scale")).ok()
    assert put["spec"] == {"replicas": 3}
    (await api.replace(PERFORMERS, space, scale, "scale")).refused(409, "Conflict")
    patch = {"spec": {"replicas": 4}}
    (await api.patch("merge", PERFORMERS, space, "perf", patch, "scale")).ok()
    after = (await api.get(PERFORMERS, space, "perf")).ok()
    assert after["spec"]["replicas"] == 4
    assert after["spec"]["image"] == "demo:1"
    assert after["metadata"]["generation"] == 3
    refused = await api.patch(
        "merge", PERFORMERS, space, "perf", {"spec": {"replicas": -1}}, "scale"
    )
    assert refused.status == 422


@covers(
    "get replicasets.apps/scale",
    "update replicasets.apps/scale",
    "patch replicasets.apps/scale merge",
)
async def test_a_replica_set_is_scaled(api: KubeRequests, space: str) -> None:
    await api.create(REPLICA_SETS, space, replica_set())
    scale = (await api.get(REPLICA_SETS, space, "rs", "scale")).ok()
    assert scale["kind"] == "Scale"
    assert scale["status"]["selector"] == "app=rs"
    body = {"metadata": {"name": "rs", "namespace": space}, "spec": {"replicas": 0}}
    typed = {"apiVersion": "autoscaling/v1", "kind": "Scale", **body}
    (await api.replace(REPLICA_SETS, space, typed, "scale")).ok()
    patch = {"spec": {"replicas": 1}}
    after = (await api.patch("merge", REPLICA_SETS, space, "rs", patch, "scale")).ok()
    assert after["spec"]["replicas"] == 1


@covers(
    "update replicasets.apps/status",
    "patch replicasets.apps/status merge",
    "patch services/status merge",
)
async def test_the_status_of_a_replica_set_is_written_apart(api: KubeRequests, space: str) -> None:
    """The selector matches nothing that runs, so no controller writes again once it has."""
    await api.create(REPLICA_SETS, space, replica_set())
    patch = {"spec": {"replicas": 5}, "status": {"replicas": 0, "observedGeneration": 1}}
    patched = (await api.patch("merge", REPLICA_SETS, space, "rs", patch, "status")).ok()
    assert patched["spec"]["replicas"] == 0

    async def put() -> Answer:
        read = (await api.get(REPLICA_SETS, space, "rs")).ok()
        read["spec"]["replicas"] = 5
        return await api.replace(REPLICA_SETS, space, read, "status")

    written = (await eventually(put, lambda answer: answer.status != 409)).ok()
    assert written["spec"]["replicas"] == 0
    await api.create(SERVICES, space, service())
    (await api.patch("merge", SERVICES, space, "svc", {"status": {}}, "status")).ok()
