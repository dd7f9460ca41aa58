"""Kubernetes mode, with the operator and its performers on the dev cluster."""

import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import psutil
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import PERFORMERS, PODS, Manifest
from hourglass_devcluster.node_agent.orphans import MARK

from tests.support.dev_cluster import DevCluster, running_dev_cluster
from tests.support.executor_process import until
from tests.support.operator_process import operator_process

from .loop_thread import loop_thread
from .on_processes import processes_of
from .world import Artifact, Untouched

NAMESPACE = "default"
Via = Literal["performers", "control"]


class ClusterWorld:
    """Implements ``World``; ``control`` is where the operator serves PerformerControl."""

    mode = "kubernetes"
    said = "Kubernetes deployment completed successfully"
    prefix = "k8s-deployment"
    artifacts = (
        Artifact("registry.test/demo-performer", "sha256:" + "1" * 64),
        Artifact("registry.test/demo-performer", "sha256:" + "2" * 64),
    )
    missing = Artifact("registry.test/nothing", "sha256:" + "0" * 64)

    def __init__(self, cluster: DevCluster, control: str, via: Via) -> None:
        self._cluster = cluster
        self._control = control
        self._via = via

    def section(self, *, deploy_timeout: str, stop_on_exit: bool) -> dict[str, Any]:
        path = str(self._cluster.kubeconfig) if self._via == "performers" else ""
        return {
            "kubernetes": {
                "namespace": NAMESPACE,
                "via": self._via,
                "inCluster": self._via == "control",
                "kubeConfigPath": path,
                "performerControl": {"address": self._control},
                "deployTimeout": deploy_timeout,
                "stopOnExit": stop_on_exit,
                "performerDefaults": {"rollout": {"drainTimeoutSeconds": 2}},
            }
        }

    async def kill(self, resource: str) -> None:
        with suppress(ProcessLookupError):
            os.kill(await self._pid(resource), signal.SIGKILL)

    async def life(self, resource: str) -> object:
        pod = await self._pod(resource)
        if pod is None:
            return None
        statuses = pod.get("status", {}).get("containerStatuses") or [{}]
        return pod["metadata"]["uid"], statuses[0].get("restartCount")

    async def environment(self, resource: str) -> Mapping[str, str]:
        return psutil.Process(await self._pid(resource)).environ()

    async def left(self, avs: str) -> list[str]:
        async with self._client() as client:
            objects = [
                str(each["metadata"]["name"])
                for each in (await client.list(PERFORMERS, NAMESPACE)).items
                if each["spec"]["avsAddress"] == avs and "foreign" not in each["metadata"]["name"]
            ]
        return objects or [str(pid) for pid in processes_of(avs, MARK)]

    async def take_away(self, avs: str) -> None:
        """Remove its pods: who deletes a Performer object means that it is to be gone."""
        async with self._client() as client:
            for pod in (await client.list(PODS, NAMESPACE)).items:
                variables = pod["spec"]["containers"][0].get("env") or ()
                if {"name": "AVS_ADDRESS", "value": avs} in variables:
                    await client.delete(PODS, NAMESPACE, pod["metadata"]["name"])

    @asynccontextmanager
    async def foreign(self, avs: str) -> AsyncIterator[Untouched]:
        name = f"performer-foreign-{uuid4().hex[:8]}"
        labels = {"app": "hourglass-performer", "hourglass.eigenlayer.io/avs": avs}
        spec = {"avsAddress": avs, "image": "demo-performer:v1", "replicas": 0}
        async with self._client() as client:
            body = {
                "apiVersion": PERFORMERS.api_version,
                "kind": PERFORMERS.kind,
                "metadata": {"name": name, "labels": labels},
                "spec": spec,
            }
            made = await client.create(PERFORMERS, NAMESPACE, body)

            async def untouched() -> bool:
                found = await client.get(PERFORMERS, NAMESPACE, name)
                return all(
                    found["metadata"][field] == made["metadata"][field]
                    for field in ("uid", "generation", "labels")
                )

            try:
                yield untouched
            finally:
                await client.delete(PERFORMERS, NAMESPACE, name)

    async def _pod(self, name: str) -> Manifest | None:
        async with self._client() as client:
            try:
                return await client.get(PODS, NAMESPACE, name)
            except HourglassError as error:
                if error.code is Code.NOT_FOUND:
                    return None
                raise

    async def _pid(self, name: str) -> int:
        """Return the process of a pod, once it has one."""
        pod = await self._pod(name)
        assert pod is not None, name
        note = self._cluster.data_dir / "pids" / f"{pod['metadata']['uid']}.json"
        await until(note.exists)
        return int(json.loads(note.read_text())["pid"])

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[KubeClient]:
        async with KubeClient(await connect(self._cluster.kubeconfig)) as client:
            yield client


@contextmanager
def in_a_cluster(folder: Path, via: Via) -> Iterator[ClusterWorld]:
    with running_dev_cluster(folder) as cluster, loop_thread() as thread:
        operator = thread.enter(operator_process(cluster.kubeconfig, NAMESPACE))
        (ready,) = operator.said("operator ready")
        yield ClusterWorld(cluster, str(ready["control"]), via)
