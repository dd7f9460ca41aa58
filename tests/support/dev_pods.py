"""Pods that run a line of Python, and waiting on the API for what becomes of them."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import PODS, Manifest, Resource

LABELS = {"app": "test"}
WAIT_SECONDS = 30.0


def python_container(code: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "main",
        "image": f"process://{sys.executable}",
        "args": ["-c", code],
        **more,
    }


def demo_container(**more: Any) -> dict[str, Any]:
    """A demo performer behind an image name with registry and tag, probed as performers are."""
    probe = {"grpc": {"port": 9090}, "periodSeconds": 1, "failureThreshold": 60}
    return {
        "name": "performer",
        "image": "registry.example/team/demo-performer:v1",
        "ports": [{"name": "grpc", "containerPort": 9090}],
        "env": [{"name": "GRPC_PORT", "value": "9090"}],
        "startupProbe": probe,
        "readinessProbe": probe,
        **more,
    }


def pod(name: str, container: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"containers": [dict(container)], "terminationGracePeriodSeconds": 1, **spec},
    }


def replica_set(name: str, replicas: int, container: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"containers": [dict(container)], "terminationGracePeriodSeconds": 1},
            },
        },
    }


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": LABELS,
            "ports": [{"name": "grpc", "port": 9090, "targetPort": "grpc"}],
        },
    }


async def until(
    client: KubeClient,
    resource: Resource,
    namespace: str,
    accepts: Callable[[Sequence[Manifest]], bool],
    seconds: float = WAIT_SECONDS,
) -> list[Manifest]:
    """Follow a collection by watch until ``accepts`` says yes; return what it was then."""
    page = await client.list(resource, namespace)
    objects = {each["metadata"]["uid"]: each for each in page.items}
    if accepts(list(objects.values())):
        return list(objects.values())
    events = client.watch(resource, namespace, resource_version=page.resource_version)
    try:
        async with asyncio.timeout(seconds), aclosing(events) as stream:  # type: ignore[type-var]
            async for event in stream:
                found = event["object"]
                if event["type"] == "DELETED":
                    objects.pop(found["metadata"]["uid"], None)
                elif event["type"] != "BOOKMARK":
                    objects[found["metadata"]["uid"]] = found
                if accepts(list(objects.values())):
                    return list(objects.values())
    except TimeoutError:
        shown = [(each["metadata"]["name"], each.get("status")) for each in objects.values()]
        raise AssertionError(f"not so within {seconds} s: {shown}") from None
    raise AssertionError("the watch ended")


async def pod_until(
    client: KubeClient,
    namespace: str,
    name: str,
    accepts: Callable[[Manifest], bool],
    seconds: float = WAIT_SECONDS,
) -> Manifest:
    def found(pods: Sequence[Manifest]) -> list[Manifest]:
        return [each for each in pods if each["metadata"]["name"] == name and accepts(each)]

    return found(await until(client, PODS, namespace, lambda pods: bool(found(pods)), seconds))[0]


async def gone(client: KubeClient, namespace: str, name: str, seconds: float = 30.0) -> None:
    await until(
        client,
        PODS,
        namespace,
        lambda pods: all(each["metadata"]["name"] != name for each in pods),
        seconds,
    )


async def log_of(client: KubeClient, namespace: str, name: str, previous: bool = False) -> bytes:
    """Return the log, empty while there is none."""
    path = PODS.path(namespace, name, "log") + ("?previous=true" if previous else "")
    try:
        return await client.raw(path)
    except KubeError as error:
        if error.http_status == 400:
            return b""
        raise


async def log_until(
    client: KubeClient, namespace: str, name: str, accepts: Callable[[bytes], bool]
) -> bytes:
    """Read the log again and again: a file that grows sends no event."""
    text = b""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not accepts(text := await log_of(client, namespace, name)):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"the log stays at {text[-200:]!r}") from None
    return text


def container_state(found: Manifest) -> Mapping[str, Any]:
    """Return the state of the only container, empty before it has one."""
    statuses: Sequence[Manifest] = (found.get("status") or {}).get("containerStatuses") or ({},)
    return dict(statuses[0].get("state") or {})


def waits_for(reason: str) -> Callable[[Manifest], bool]:
    return lambda found: (container_state(found).get("waiting") or {}).get("reason") == reason


def runs(found: Manifest) -> bool:
    return "running" in container_state(found)


def restarts(found: Manifest) -> int:
    statuses: Sequence[Manifest] = (found.get("status") or {}).get("containerStatuses") or ({},)
    return int(statuses[0].get("restartCount") or 0)
