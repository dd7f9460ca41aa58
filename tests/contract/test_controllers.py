"""What the control plane does by itself: garbage, namespaces, replicas and endpoints."""

import asyncio
from typing import Any

import pytest
from hourglass_common.kube.objects import endpoints_of
from hourglass_common.kube.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    NAMESPACES,
    NODES,
    PERFORMERS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)

from tests.support.covers import covers
from tests.support.kube_requests import KubeRequests, eventually
from tests.support.kube_samples import performer, replica_set, service


def owned_by(owner: dict[str, Any], name: str) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


async def wait_gone(api: KubeRequests, space: str, name: str) -> None:
    await eventually(lambda: api.get(CONFIG_MAPS, space, name), lambda a: a.status == 404)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_what_an_object_owns_goes_with_it(api: KubeRequests, space: str, policy: str) -> None:
    owner = (await api.create(PERFORMERS, space, performer())).ok()
    middle = (await api.create(CONFIG_MAPS, space, owned_by(owner, "child"))).ok()
    (await api.create(CONFIG_MAPS, space, owned_by(middle, "grandchild"))).ok()
    (await api.delete(PERFORMERS, space, "perf", {"propagationPolicy": policy})).ok()
    await wait_gone(api, space, "grandchild")
    await wait_gone(api, space, "child")
    await eventually(lambda: api.get(PERFORMERS, space, "perf"), lambda a: a.status == 404)


async def test_orphans_stay_and_forget_their_owner(api: KubeRequests, space: str) -> None:
    owner = (await api.create(PERFORMERS, space, performer())).ok()
    (await api.create(CONFIG_MAPS, space, owned_by(owner, "child"))).ok()
    # The collector of Kubernetes orphans what its own watch has seen, and tells nobody what.
    await asyncio.sleep(1.0)
    await api.delete(PERFORMERS, space, "perf", {"propagationPolicy": "Orphan"})
    await eventually(lambda: api.get(PERFORMERS, space, "perf"), lambda a: a.status == 404)
    child = (await api.get(CONFIG_MAPS, space, "child")).ok()
    assert not child["metadata"].get("ownerReferences")


async def test_an_object_with_a_second_owner_stays(api: KubeRequests, space: str) -> None:
    one = (await api.create(PERFORMERS, space, performer("one"))).ok()
    two = (await api.create(PERFORMERS, space, performer("two"))).ok()
    child = owned_by(one, "child")
    second = owned_by(two, "child")["metadata"]["ownerReferences"][0]
    child["metadata"]["ownerReferences"].append({**second, "controller": False})
    (await api.create(CONFIG_MAPS, space, child)).ok()
    (await api.create(CONFIG_MAPS, space, owned_by(one, "probe"))).ok()
    await api.delete(PERFORMERS, space, "one")
    await wait_gone(api, space, "probe")
    assert (await api.get(CONFIG_MAPS, space, "child")).status == 200


async def test_an_object_whose_owner_never_was_is_collected(api: KubeRequests, space: str) -> None:
    owner = (await api.create(PERFORMERS, space, performer())).ok()
    owner["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"
    (await api.create(CONFIG_MAPS, space, owned_by(owner, "orphan"))).ok()
    await wait_gone(api, space, "orphan")
    assert (await api.get(PERFORMERS, space, "perf")).status == 200


async def test_a_deleted_namespace_takes_its_content_along(api: KubeRequests, space: str) -> None:
    await api.create(PERFORMERS, space, performer())
    answer = (await api.delete(NAMESPACES, None, space)).ok()
    assert answer["status"]["phase"] == "Terminating"
    late = await api.create(CONFIG_MAPS, space, {"metadata": {"name": "late"}})
    assert late.status in (403, 404)
    await eventually(
        lambda: api.get(NAMESPACES, None, space), lambda a: a.status == 404, seconds=25
    )
    assert (await api.list(PERFORMERS, space)).ok()["items"] == []


async def pods_of(api: KubeRequests, space: str, app: str = "rs") -> list[dict[str, Any]]:
    listed = (await api.list(PODS, space, labelSelector=f"app={app}")).ok()["items"]
    return [p for p in listed if not p["metadata"].get("deletionTimestamp")]


async def wait_pods(api: KubeRequests, space: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await eventually(
        lambda: pods_of(api, space), lambda pods: len(pods) == count
    )
    return found


async def make_ready(
    api: KubeRequests, space: str, name: str, ip: str, ready: str = "True"
) -> None:
    now = "2026-01-01T00:00:00Z"
    status = {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": now,
        "conditions": [
            {"type": kind, "status": ready, "lastTransitionTime": now}
            for kind in ("Ready", "ContainersReady", "PodScheduled", "Initialized")
        ],
    }
    (await api.patch("merge", PODS, space, name, {"status": status}, "status")).ok()


async def scale(api: KubeRequests, space: str, replicas: int) -> None:
    patch = {"spec": {"replicas": replicas}}
    (await api.patch("merge", REPLICA_SETS, space, "rs", patch)).ok()


async def test_a_replica_set_makes_its_pods_and_replaces_lost_ones(
    api: KubeRequests, space: str
) -> None:
    made = (await api.create(REPLICA_SETS, space, replica_set(replicas=2))).ok()
    pods = await wait_pods(api, space, 2)
    for pod in pods:
        meta = pod["metadata"]
        assert meta["name"].startswith("rs-")
        assert meta["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        assert meta["ownerReferences"][0]["controller"] is True
        assert pod["spec"]["containers"][0]["image"] == "demo:1"
    lost = pods[0]["metadata"]["name"]
    await api.delete(PODS, space, lost, {"gracePeriodSeconds": 0})
    after = await eventually(
        lambda: pods_of(api, space),
        lambda pods: len(pods) == 2 and lost not in {p["metadata"]["name"] for p in pods},
    )
    assert {pods[1]["metadata"]["name"]} < {p["metadata"]["name"] for p in after}


async def test_the_status_of_a_replica_set_follows_its_pods(api: KubeRequests, space: str) -> None:
    await api.create(REPLICA_SETS, space, replica_set(replicas=2))
    pods = await wait_pods(api, space, 2)
    await make_ready(api, space, pods[0]["metadata"]["name"], "10.1.0.1")

    def settled(answer: Any) -> bool:
        status = answer.ok().get("status") or {}
        return (
            status.get("replicas"),
            status.get("readyReplicas"),
            status.get("availableReplicas"),
            status.get("observedGeneration"),
        ) == (2, 1, 1, 1)

    await eventually(lambda: api.get(REPLICA_SETS, space, "rs"), settled)


async def test_scaling_down_takes_pods_that_are_not_ready_first(
    api: KubeRequests, space: str
) -> None:
    await api.create(REPLICA_SETS, space, replica_set(replicas=3))
    names = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 3))
    for index in (0, 2):
        await make_ready(api, space, names[index], f"10.1.0.{index + 1}")
    await wait_ready(api, space, 2)
    await scale(api, space, 2)
    left = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 2))
    assert left == [names[0], names[2]]


async def test_scaling_down_takes_the_pod_that_is_cheapest_to_delete(
    api: KubeRequests, space: str
) -> None:
    await api.create(REPLICA_SETS, space, replica_set(replicas=3))
    names = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 3))
    for index, name in enumerate(names):
        await make_ready(api, space, name, f"10.1.0.{index + 1}")
    cost = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-100"}}}
    (await api.patch("merge", PODS, space, names[1], cost)).ok()
    await wait_ready(api, space, 3)
    await scale(api, space, 2)
    left = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 2))
    assert left == [names[0], names[2]]


async def cheapen(api: KubeRequests, space: str, name: str, cost: str) -> None:
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost}
    patch = {"metadata": {"annotations": annotations}}
    (await api.patch("merge", PODS, space, name, patch)).ok()


@covers("patch replicasets.apps merge", "patch pods merge")
async def test_of_two_ready_pods_the_cheap_one_goes(api: KubeRequests, space: str) -> None:
    await api.create(REPLICA_SETS, space, replica_set(replicas=2))
    names = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 2))
    for index, name in enumerate(names):
        await make_ready(api, space, name, f"10.1.0.{index + 1}")
    await wait_ready(api, space, 2)
    for cheap, dear in (names, names[::-1]):
        await cheapen(api, space, cheap, "-1000")
        await cheapen(api, space, dear, "0")
    await scale(api, space, 1)
    left = [p["metadata"]["name"] for p in await wait_pods(api, space, 1)]
    assert left == [names[0]]


async def test_a_pod_that_is_not_ready_goes_before_a_cheap_one(
    api: KubeRequests, space: str
) -> None:
    await api.create(REPLICA_SETS, space, replica_set(replicas=3))
    names = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 3))
    for index, ready in enumerate(("True", "True", "False")):
        await make_ready(api, space, names[index], f"10.1.0.{index + 1}", ready)
    await cheapen(api, space, names[0], "-1000")
    await cheapen(api, space, names[2], "1000")
    await wait_ready(api, space, 2)
    await scale(api, space, 2)
    left = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 2))
    assert left == names[:2]
    await scale(api, space, 1)
    assert [p["metadata"]["name"] for p in await wait_pods(api, space, 1)] == [names[1]]


async def wait_ready(api: KubeRequests, space: str, count: int) -> None:
    await eventually(
        lambda: api.get(REPLICA_SETS, space, "rs"),
        lambda answer: answer.ok()["status"].get("readyReplicas") == count,
    )


async def test_a_deleted_replica_set_takes_its_pods_along(api: KubeRequests, space: str) -> None:
    await api.create(REPLICA_SETS, space, replica_set(replicas=1))
    await wait_pods(api, space, 1)
    await api.delete(REPLICA_SETS, space, "rs", {"propagationPolicy": "Background"})
    await wait_pods(api, space, 0)


@covers("list endpointslices.discovery.k8s.io")
async def test_endpoint_slices_tell_the_ready_addresses_of_a_service(
    api: KubeRequests, space: str
) -> None:
    await api.create(SERVICES, space, service("svc", app="rs"))
    # The controller of Kubernetes leaves out pods whose node is not there.
    await api.create(NODES, None, {"metadata": {"name": f"node-of-{space}"}})
    body = replica_set(replicas=2)
    body["spec"]["template"]["spec"]["nodeName"] = f"node-of-{space}"
    # That of the dev cluster leaves out pods that no node has given a port.
    port = {"devcluster.hourglass.eigenlayer.io/port": "9090"}
    body["spec"]["template"]["metadata"]["annotations"] = port
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["ports"] = [{"name": "grpc", "containerPort": 9090}]
    await api.create(REPLICA_SETS, space, body)
    names = sorted(p["metadata"]["name"] for p in await wait_pods(api, space, 2))
    await make_ready(api, space, names[0], "10.1.0.1")

    async def slices() -> list[dict[str, Any]]:
        selector = "kubernetes.io/service-name=svc"
        listed = await api.list(ENDPOINT_SLICES, space, labelSelector=selector)
        items: list[dict[str, Any]] = listed.ok()["items"]
        return items

    def ready(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return [(e.pod, e.target) for e in endpoints_of(items) if e.ready]

    items = await eventually(slices, lambda found: len(ready(found)) == 1)
    assert ready(items) == [(names[0], "10.1.0.1:9090")]
    assert items[0]["addressType"] == "IPv4"
    assert items[0]["metadata"]["ownerReferences"][0]["name"] == "svc"
    await make_ready(api, space, names[1], "10.1.0.2")
    await eventually(slices, lambda found: len(ready(found)) == 2)
    out = {"metadata": {"labels": {"app": "elsewhere"}}}
    (await api.patch("merge", PODS, space, names[0], out)).ok()
    items = await eventually(slices, lambda found: names[0] not in dict(ready(found)))
    await api.delete(SERVICES, space, "svc")
    await eventually(slices, lambda found: not found)
    for name in names:
        await api.delete(PODS, space, name, {"gracePeriodSeconds": 0})
    await api.delete(NODES, None, f"node-of-{space}")
