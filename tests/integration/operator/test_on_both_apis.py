"""The operator with the ReplicaSet controller and garbage collector of each API server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import condition
from hourglass_common.kube.resources import (
    EVENTS,
    NAMESPACES,
    PERFORMERS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from hourglass_operator.planning.revision import DELETION_COST
from prometheus_client import REGISTRY

from tests.support.kube_samples import says
from tests.support.operator_cluster import Cluster, until
from tests.support.targets import AUDIT_LOG, REAL

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"


async def test_a_performer_becomes_a_ready_replica_set_behind_a_service(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create(replicas=2)
        found = await cluster.until_condition("Ready", "True")
    status = found["status"]
    assert status["phase"] == "Running"
    assert status["ready"] is True
    assert status["readyReplicas"] == 2
    host = f"performer-demo.{cluster.namespace}.svc.cluster.local"
    assert status["grpcEndpoint"] == f"{host}:9090"
    assert await cluster.names(SERVICES) == ["performer-demo"]
    assert await cluster.names(REPLICA_SETS) == [f"demo-{status['revision']}"]
    assert status["podName"] in await cluster.names(PODS)


async def test_a_changed_image_brings_the_new_instance_up_before_the_old_one_goes(
    cluster: Cluster,
) -> None:
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        start = len(cluster.readiness.history)
        await cluster.change(image="demo:2")
        await cluster.until_condition("Ready", "True")
    history = cluster.readiness.history[start:]
    assert all(history), "at some moment no instance was ready"
    assert ("demo:1", "demo:2") in history
    assert cluster.readiness.ready_images() == ("demo:2",)


async def test_an_image_that_never_becomes_ready_leaves_the_old_instance(cluster: Cluster) -> None:
    cluster.readiness.accepts = lambda pod: "broken" not in json.dumps(pod["spec"])
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        await cluster.change(image="demo:broken")
        found = await cluster.until_condition("Ready", "False", "RollingOut")
        available = condition(found, "Available") or {}
        assert available["status"] == "True"
        assert cluster.readiness.ready_images() == ("demo:1",)
        await cluster.change(image="demo:1")
        found = await cluster.until_condition("Ready", "True")
    assert found["status"]["phase"] == "Running"


async def test_a_deleted_performer_leaves_nothing_behind(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        await cluster.client.delete(PERFORMERS, cluster.namespace, "demo")

        async def all_gone() -> bool | None:
            kinds = (PERFORMERS, REPLICA_SETS, PODS, SERVICES)
            return (
                True
                if not [await cluster.names(k) for k in kinds if await cluster.names(k)]
                else None
            )

        # The collector of a control plane just started learns of new kinds every 30 s.
        await until(all_gone, "nothing is left", seconds=60)


async def test_a_performer_made_again_under_its_name_becomes_ready(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        await cluster.client.delete(PERFORMERS, cluster.namespace, "demo")
        await cluster.create()
        await cluster.until_condition("Ready", "True")


@pytest.mark.only(REAL, AUDIT_LOG)
async def test_an_operator_that_is_restarted_writes_nothing(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
    before = cluster.operator_writes()
    assert before > 0
    async with cluster.operator():
        await cluster.create("other")  # once this one is done, "demo" was looked at as well

        async def other_is_done() -> bool | None:
            found = await cluster.client.get(PERFORMERS, cluster.namespace, "other")
            return True if (condition(found, "Ready") or {}).get("status") == "True" else None

        await until(other_is_done, "the other performer is Ready")
    lines = cluster.audit_log.read_text().splitlines()
    mine = [json.loads(line) for line in lines if f"/namespaces/{cluster.namespace}/" in line]
    writes = [e for e in mine if "fieldManager=hourglass-operator" in e["requestURI"]]
    assert [e["requestURI"] for e in writes[before:] if "demo" in e["objectRef"]["name"]] == []


async def test_a_spec_that_the_api_refuses_stalls_with_its_message(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create(network=network("192.168.0.0/16"))
        found = await cluster.until_condition("Stalled", "True", "InvalidSpec")
    stalled = condition(found, "Stalled") or {}
    assert "must be a strict subset of `cidr`" in stalled["message"]


def network(left_out: str) -> dict[str, Any]:
    """Return peers that the rules of the CRD take; whether one range holds the other is for the
    API to say."""
    return {"ingressFrom": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [left_out]}}]}


async def test_names_given_twice_are_taken_as_the_reference_took_them(cluster: Cluster) -> None:
    twice = [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": key}}}
        for key in ("1", "2")
    ]
    secrets = [{"name": "registry"}, {"name": "registry"}]
    async with cluster.operator():
        await cluster.create(config={"environmentFrom": twice}, imagePullSecrets=secrets)
        await cluster.until_condition("Ready", "True")


async def test_a_corrected_spec_is_taken_up_at_once(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create(network=network("192.168.0.0/16"))
        await cluster.until_condition("Stalled", "True")
        await cluster.change(network=network("10.1.0.0/16"))
        await cluster.until_condition("Ready", "True")


async def test_a_service_of_somebody_else_is_left_as_it_is(cluster: Cluster) -> None:
    spec = {"selector": {"app": "mine"}, "ports": [{"port": 1}]}
    body = {"metadata": {"name": "performer-demo"}, "spec": spec}
    made = await cluster.client.create(SERVICES, cluster.namespace, body)
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Stalled", "True", "NameTaken")
        found = await cluster.client.get(SERVICES, cluster.namespace, "performer-demo")
        assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        await cluster.client.delete(SERVICES, cluster.namespace, "performer-demo")
        await cluster.until_condition("Ready", "True")


async def test_transitions_become_events(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")

        async def reported() -> set[str] | None:
            page = await cluster.client.list(EVENTS, cluster.namespace)
            mine = [e for e in page.items if e["regarding"]["kind"] == "Performer"]
            reasons = {str(e["reason"]) for e in mine}
            return reasons if "InstancesReady" in reasons else None

        assert "Starting" in await until(reported, "events of the performer")


@pytest.mark.only(REAL, AUDIT_LOG)
async def test_two_named_namespaces_are_worked_in_and_no_other_is_asked_about(
    cluster: Cluster,
) -> None:
    second, unwatched = f"{cluster.namespace}-b", f"{cluster.namespace}-c"
    for name in (second, unwatched):
        await cluster.client.create(NAMESPACES, None, {"metadata": {"name": name}})
    async with cluster.operator(watch_namespaces=(second, cluster.namespace)):
        for namespace in (unwatched, second, cluster.namespace):
            await cluster.create(namespace=namespace)
        await cluster.until_condition("Ready", "True")

        async def reported() -> bool | None:
            found = await cluster.client.get(PERFORMERS, second, "demo")
            return True if found.get("status") else None

        await until(reported, "the performer of the second namespace has a status")
    asked = [line for line in cluster.requests_of_the_operator() if f"/{unwatched}/" in line]
    assert asked == []
    for name in (second, unwatched):
        await cluster.client.delete(NAMESPACES, None, name)


async def test_a_change_that_no_plan_looks_at_wakes_nobody(cluster: Cluster) -> None:
    def added() -> float:
        return REGISTRY.get_sample_value("workqueue_adds_total", {"name": "performer"}) or 0.0

    async def annotate(pod: str, key: str) -> None:
        patch = {"metadata": {"annotations": {key: "1"}}}
        await cluster.client.merge_patch(PODS, cluster.namespace, pod, patch)

    async with cluster.operator():
        await cluster.create()
        found = await cluster.until_condition("Ready", "True")
        pod = found["status"]["podName"]
        await asyncio.sleep(0.5)  # the last of what led here is looked at
        before = added()
        await annotate(pod, "example.com/noise")
        await annotate(pod, DELETION_COST)  # one that is looked at: it comes by the same watch

        async def woken() -> bool | None:
            return True if added() > before else None

        await until(woken, "the second change is noticed")
    assert added() == before + 1


async def test_scaling_is_by_the_scale_subresource_too(cluster: Cluster) -> None:
    async with cluster.operator():
        await cluster.create()
        await cluster.until_condition("Ready", "True")
        await cluster.client.merge_patch(
            PERFORMERS, cluster.namespace, "demo", {"spec": {"replicas": 3}}, subresource="scale"
        )
        found = await cluster.until_condition("Ready", "True")
    assert found["status"]["readyReplicas"] == 3
    assert len(await cluster.names(REPLICA_SETS)) == 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
async def test_the_examples_are_valid(cluster: Cluster, path: Path) -> None:
    body = yaml.safe_load(path.read_text())
    made = await cluster.client.create(PERFORMERS, cluster.namespace, body, dry_run=True)
    assert made["spec"].get("replicas") == body["spec"].get("replicas")
    assert says(made["spec"], body["spec"])


@pytest.mark.parametrize(
    ("name", "spec", "text"),
    [
        ("n" * 54, {}, "at most 53 characters"),
        ("demo", {"avsAddress": ""}, "avsAddress"),
        ("demo", {"image": ""}, "image"),
        ("demo", {"replicas": -1}, "greater than or equal to 0"),
        ("demo", {"config": {"grpcPort": 0}}, "grpcPort"),
        ("demo", {"config": {"environment": {"1A": "x"}}}, "names of environment variables"),
        ("demo", {"hardwareRequirements": {"teeRequired": True}}, "teeRequired needs a teeType"),
        ("demo", {"hardwareRequirements": {"gpuType": "a100"}}, "gpuType needs a gpuCount"),
        ("demo", {"resources": {"limits": {"cpu": "much"}}}, "resources.limits"),
        (
            "demo",
            {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            "cpu: the request must not exceed the limit",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_nonsense_is_refused_at_the_door(
    cluster: Cluster, name: str, spec: dict[str, Any], text: str
) -> None:
    with pytest.raises(KubeError) as caught:
        await cluster.create(name, **spec)
    assert text in caught.value.message
