"""The kubectl binary and PerformerControl write the same object at the same time."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.resources import PERFORMERS, Manifest
from hourglass_services.control.client import PerformerControlClient
from hourglass_services.control.port import Aim, Masked
from hourglass_services.rpc.channel import open_channel

from tests.support.commands import Commands, find
from tests.support.control_plane import ControlPlane
from tests.support.operator_cluster import Cluster

Path_ = tuple[str, ...]
API, KUBECTL = "hourglass-control", "kubectl-patch"
COUNTERS: Mapping[str, Path_] = {
    API: ("metadata", "labels", "by-api"),
    KUBECTL: ("metadata", "labels", "by-kubectl"),
}
SHARED = "whoever wrote it last"
OWNERS: Mapping[Path_, str] = {
    COUNTERS[API]: API,
    COUNTERS[KUBECTL]: KUBECTL,
    ("spec", "config", "environment", "API"): API,
    ("spec", "config", "environment", "KUBECTL"): KUBECTL,
    ("spec", "fence"): API,
    ("spec", "health", "periodSeconds"): KUBECTL,
    ("spec", "image"): SHARED,
    ("spec", "config", "environment", "BOTH"): SHARED,
    ("metadata", "labels", "both"): SHARED,
    ("spec", "config", "environment", "START"): "test",
}


def values_of(manager: str, number: int) -> dict[Path_, Any]:
    """Return what a writer's ``number``-th write sets: its own fields, and each second time those
    of both."""
    mine = "API" if manager == API else "KUBECTL"
    found: dict[Path_, Any] = {
        COUNTERS[manager]: str(number),
        ("spec", "config", "environment", mine): str(number),
    }
    if manager == API:
        found["spec", "fence"] = number % 2 == 0
    else:
        found["spec", "health", "periodSeconds"] = 1 + number % 60
    if number % 2:
        found["spec", "image"] = f"demo:{mine.lower()}-{number}"
        found["spec", "config", "environment", "BOTH"] = f"{mine}-{number}"
        found["metadata", "labels", "both"] = f"{mine}-{number}"
    return found


def tree(values: Mapping[Path_, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in values.items():
        below = found
        for step in path[:-1]:
            below = below.setdefault(step, {})
        below[path[-1]] = value
    return found


def at(manifest: Any, path: Path_) -> Any:
    for step in path:
        manifest = manifest.get(step) if isinstance(manifest, dict) else None
    return manifest


def owners(manifest: Manifest, path: Path_) -> Iterator[str]:
    for entry in manifest["metadata"]["managedFields"]:
        below = at(entry["fieldsV1"], tuple(f"f:{step}" for step in path))
        if below is not None:
            yield str(entry["manager"])


async def by_api(client: PerformerControlClient, namespace: str, end: float) -> int:
    """Write until ``end``; each third time only over the version that was read last."""
    number, etag = 0, ""
    while monotonic() < end:
        values = values_of(API, number + 1)
        aim = Aim(namespace=namespace, name="demo", etag=etag if number % 3 == 2 else "")
        try:
            view = await client.update(aim, Masked(tree(values), tuple(values)))
            number += 1
        except HourglassError as error:
            if error.code is not Code.ABORTED or not aim.etag:
                raise  # without an etag no write is refused for somebody else's
            view = await client.get(namespace, "demo")
        etag = str(view.manifest["metadata"]["resourceVersion"])
        await asyncio.sleep(0.005)
    return number


async def by_kubectl(kubectl: Commands, end: float) -> int:
    number = 0
    while monotonic() < end:
        number += 1
        patch = json.dumps(tree(values_of(KUBECTL, number)))
        await kubectl.kubectl("patch", "performer", "demo", "--type=merge", "-p", patch)
    return number


async def history(cluster: Cluster, since: str, done: asyncio.Event) -> list[Manifest]:
    """Return every version of the object, until ``done`` and the last write is among them."""
    found: list[Manifest] = []
    events = cluster.client.watch(
        PERFORMERS, cluster.namespace, resource_version=since, timeout_seconds=300
    )
    async with aclosing(events) as stream:  # type: ignore[type-var]
        async for event in stream:
            if event["type"] == "BOOKMARK":
                continue
            found.append(event["object"])
            if done.is_set():
                break
    return found


async def test_no_write_of_either_is_lost_and_each_field_is_theirs_who_wrote_it_last(
    cluster: Cluster, plane: ControlPlane, tmp_path: Path, full: bool
) -> None:
    if find("kubectl") is None:
        pytest.skip("kubectl neither in KUBEBUILDER_ASSETS nor in PATH")
    kubectl = Commands(plane.kubeconfig, cluster.namespace, tmp_path)
    made = await cluster.client.create(
        PERFORMERS,
        cluster.namespace,
        {
            "apiVersion": PERFORMERS.api_version,
            "kind": "Performer",
            "metadata": {"name": "demo"},
            "spec": {
                "avsAddress": "0xAb",
                "image": "demo:0",
                "config": {"environment": {"START": "1"}},
            },
        },
        field_manager="test",
    )
    done = asyncio.Event()
    async with cluster.operator() as addresses, open_channel(addresses.control) as channel:
        client = PerformerControlClient(channel)
        end = monotonic() + (60.0 if full else 5.0)
        async with asyncio.TaskGroup() as group:
            since = str(made["metadata"]["resourceVersion"])
            watching = group.create_task(history(cluster, since, done))
            async with asyncio.TaskGroup() as writers:
                api = writers.create_task(by_api(client, cluster.namespace, end))
                other = writers.create_task(by_kubectl(kubectl, end))
            done.set()
            await cluster.patch("demo", {"metadata": {"labels": {"the-end": "x"}}})
    counts = {API: api.result(), KUBECTL: other.result()}
    last = check(watching.result(), counts)
    final = await cluster.performer()
    for path, expected in OWNERS.items():
        who = last if expected == SHARED else expected
        assert list(owners(final, path)) == [who], ".".join(path)


def check(versions: list[Manifest], counts: Mapping[str, int]) -> str:
    """Check each version against what was written up to it; returns who wrote both's fields last.

    Every write is one version with all of its fields, in its writer's order, and takes back
    nothing of the other's.
    """
    assert min(counts.values()) >= 10, f"too few writes to say anything: {counts}"
    model: dict[Path_, Any] = {("spec", "config", "environment", "START"): "1"}
    seen = dict.fromkeys(counts, 0)
    last = ""
    for manifest in versions:
        for manager, counter in COUNTERS.items():
            number = int(at(manifest, counter) or 0)
            if number == seen[manager]:
                continue
            assert number == seen[manager] + 1, f"a write of {manager} is missing"
            seen[manager] = number
            model |= values_of(manager, number)
            last = manager if number % 2 else last
        shown = {path: at(manifest, path) for path in model}
        assert shown == model, manifest["metadata"]["resourceVersion"]
    assert seen == counts
    return last
