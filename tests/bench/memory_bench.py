"""What the operator takes at 1000 performers at rest: ``python tests/bench/memory_bench.py``.

The operator is a process of its own, started from the command line; this one plays the API server
with objects as a real one serves them, managedFields and all: for each performer a ReplicaSet, a
Ready pod, a Service, a NetworkPolicy and an EndpointSlice. Read from /proc when nothing moves.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
import psutil
import yaml
from aiohttp import web

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from hourglass_common.domain.performer import parse_performer  # noqa: E402
from hourglass_common.kube.resources import (  # noqa: E402
    ENDPOINT_SLICES,
    LEASES,
    NETWORK_POLICIES,
    PERFORMERS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from hourglass_operator.planning import manifests  # noqa: E402
from hourglass_operator.planning.naming import revision_of  # noqa: E402
from hourglass_operator.planning.revision import PROMOTED_AT, PROMOTION, STARTED_AT  # noqa: E402

from tests.support.control_plane import free_port  # noqa: E402

WANTED_MEGABYTES = 130
KINDS = (
    PERFORMERS,
    REPLICA_SETS,
    PODS,
    SERVICES,
    NETWORK_POLICIES,
    ENDPOINT_SLICES,
    POD_DISRUPTION_BUDGETS,
    LEASES,
)
NOW = "2026-01-01T00:00:00Z"
QUIET_SECONDS = 5.0


class Api:
    """Serves the objects; writes of a status are kept and told, all others are refused."""

    def __init__(self, count: int) -> None:
        self.version = 1
        self.writes = 0
        self.objects: dict[str, dict[str, dict[str, Any]]] = {k.plural: {} for k in KINDS}
        self.watchers: dict[str, list[asyncio.Queue[bytes]]] = {k.plural: [] for k in KINDS}
        for index in range(count):
            for resource, found in _family(f"performer-{index:04}"):
                self.version += 1
                found["metadata"]["resourceVersion"] = str(self.version)
                self.objects[resource.plural][found["metadata"]["name"]] = found

    async def handle(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        plural = next((p for p in parts if p in self.objects), "")
        if not plural:
            return web.json_response({"kind": "Status", "code": 201}, status=201)
        if request.method == "PUT":
            return await self._status(request)
        if request.method != "GET":
            return web.json_response({"kind": "Status", "code": 403}, status=403)
        return await (self._watch if "watch" in request.query else self._list)(request, plural)

    async def _list(self, request: web.Request, plural: str) -> web.StreamResponse:
        start, limit = int(request.query.get("continue") or 0), int(request.query["limit"])
        items = list(self.objects[plural].values())
        meta = {"resourceVersion": str(self.version)}
        if start + limit < len(items):
            meta["continue"] = str(start + limit)
        return _json({"metadata": meta, "items": items[start : start + limit]})

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.watchers[plural].append(queue)
        with suppress(ConnectionError):
            while True:
                await response.write(await queue.get())
        return response

    async def _status(self, request: web.Request) -> web.StreamResponse:
        self.writes += 1
        self.version += 1
        body = await request.json(loads=orjson.loads)
        found = self.objects["performers"][body["metadata"]["name"]]
        found["status"] = body["status"]
        found["metadata"]["resourceVersion"] = str(self.version)
        event = orjson.dumps({"type": "MODIFIED", "object": found}) + b"\n"
        for queue in self.watchers["performers"]:
            queue.put_nowait(event)
        return _json(found)


def _json(body: Any) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")


def _family(name: str) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Yield one performer and its children, as the API serves them."""
    body = yaml.safe_load((ROOT / "deploy/examples/production.yaml").read_text())
    body["spec"]["replicas"] = 1
    meta = body["metadata"]
    meta |= {"name": name, "namespace": "prod", "uid": _uid(name), "generation": 1}
    meta |= {"creationTimestamp": NOW, "resourceVersion": "1"}
    meta["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(body, separators=(",", ":"))
    }
    performer = parse_performer(body)
    revision = revision_of(performer.spec)
    notes = {PROMOTION: "1", PROMOTED_AT: NOW, STARTED_AT: NOW}
    replica_set = manifests.replica_set(performer, revision, 1, notes)
    replica_set["status"] = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    service, policy = manifests.service(performer), manifests.network_policy(performer)
    for child in (replica_set, service, policy):
        child["metadata"] |= {"uid": _uid(child["kind"] + name), "creationTimestamp": NOW}
        _owned_by("hourglass-operator", child)
    pod = _pod(replica_set)
    _owned_by("kubectl-client-side-apply", body)
    yield PERFORMERS, body
    yield REPLICA_SETS, replica_set
    yield PODS, pod
    yield SERVICES, service
    yield NETWORK_POLICIES, policy
    yield ENDPOINT_SLICES, _slice(service, pod)


def _pod(replica_set: dict[str, Any]) -> dict[str, Any]:
    template = json.loads(json.dumps(replica_set["spec"]["template"]))
    meta, spec = template["metadata"], template["spec"]
    meta |= {
        "name": replica_set["metadata"]["name"] + "-x7k2p",
        "generateName": replica_set["metadata"]["name"] + "-",
        "namespace": "prod",
        "uid": _uid("Pod" + replica_set["metadata"]["name"]),
        "creationTimestamp": NOW,
        "ownerReferences": [_owner(replica_set)],
    }
    spec |= {"nodeName": "node-17", "schedulerName": "default-scheduler", "priority": 0}
    spec |= {"dnsPolicy": "ClusterFirst", "preemptionPolicy": "PreemptLowerPriority"}
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": NOW}
        for kind in kinds
    ]
    container = {
        "name": "performer",
        "image": spec["containers"][0]["image"],
        "imageID": "registry.example.com/oracles/price-feed@sha256:" + "5" * 64,
        "containerID": "containerd://" + meta["uid"].replace("-", "") * 2,
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": NOW}},
        "lastState": {},
    }
    status = {
        "phase": "Running",
        "conditions": conditions,
        "hostIP": "10.0.0.17",
        "podIP": "10.244.3.41",
        "podIPs": [{"ip": "10.244.3.41"}],
        "startTime": NOW,
        "qosClass": "Burstable",
        "containerStatuses": [container],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", **template, "status": status}
    _owned_by("kube-controller-manager", pod)
    return pod


def _slice(service: dict[str, Any], pod: dict[str, Any]) -> dict[str, Any]:
    name = service["metadata"]["name"]
    found = {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-8s2lq",
            "namespace": "prod",
            "uid": _uid("EndpointSlice" + name),
            "creationTimestamp": NOW,
            "labels": {
                **service["metadata"]["labels"],
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                "kubernetes.io/service-name": name,
            },
            "ownerReferences": [_owner(service)],
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["10.244.3.41"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": "node-17",
                "targetRef": {
                    "kind": "Pod",
                    "namespace": "prod",
                    "name": pod["metadata"]["name"],
                    "uid": pod["metadata"]["uid"],
                },
            }
        ],
        "ports": [{"name": "grpc", "protocol": "TCP", "port": 8080}],
    }
    _owned_by("kube-controller-manager", found)
    return found


def _owner(manifest: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "name": manifest["metadata"]["name"],
        "uid": manifest["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _owned_by(manager: str, manifest: dict[str, Any]) -> None:
    """Add managedFields that own every field, as the API does for who created it."""
    owned: dict[str, Any] = {k: manifest[k] for k in ("spec", "status") if k in manifest}
    owned["metadata"] = {
        key: manifest["metadata"][key]
        for key in ("labels", "annotations", "ownerReferences")
        if key in manifest["metadata"]
    }
    manifest["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": manifest["apiVersion"],
            "time": NOW,
            "fieldsType": "FieldsV1",
            "fieldsV1": _fields(owned),
        }
    ]


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{key}": _fields(inner) for key, inner in value.items()}
    return {}


def _uid(text: str) -> str:
    return str(uuid5(NAMESPACE_URL, text))


async def measure(count: int) -> dict[str, Any]:
    api = Api(count)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "kubeconfig"
        config.write_text(yaml.safe_dump(_kubeconfig(port)))
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("hourglass")),
            *("operator", "--kubeconfig", str(config), "--control-bind-address", "127.0.0.1:0"),
            *("--metrics-bind-address", "127.0.0.1:0", "--log-level", "warning"),
        )
        try:
            seen = -1
            while not api.writes or api.writes != seen:
                seen = api.writes
                if process.returncode is not None:
                    raise RuntimeError(f"the operator ended with {process.returncode}")
                await asyncio.sleep(QUIET_SECONDS)
            memory = psutil.Process(process.pid).memory_info().rss
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            await runner.cleanup()
    sizes = {k: len(orjson.dumps(list(v.values()))) for k, v in api.objects.items() if v}
    return {
        "performers": count,
        "megabytes": round(memory / 2**20, 1),
        "wanted": WANTED_MEGABYTES,
        "status_writes": api.writes,
        "json_megabytes": round(sum(sizes.values()) / 2**20, 1),
    }


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "bench", "user": {}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "current-context": "bench",
    }


def main() -> int:
    """Print one JSON object; exit 1 where it takes more than wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    found = asyncio.run(measure(parser.parse_args().count))
    ok = found["megabytes"] <= found["wanted"]
    print(json.dumps({"operator_memory": found, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
