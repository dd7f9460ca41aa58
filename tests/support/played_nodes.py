"""A node played by kwok: pods placed on it run and turn Ready by themselves.

kwok comes from ``$KUBEBUILDER_ASSETS``. Pods are placed by the test, in its own namespace alone: a
scheduler would place those of other tests too. Their addresses are fictions.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import PODS
from hourglass_common.kube.watch_state import Change
from hourglass_common.runtime.system_clock import SystemClock

NODE = "played-1"
STAGES = Path(__file__).with_name("kwok_stages.yaml")


def why_unavailable() -> str | None:
    """Return what is missing, None if a node can be played."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return "KUBEBUILDER_ASSETS is not set"
    return None if (Path(assets) / "kwok").exists() else "KUBEBUILDER_ASSETS lacks kwok"


def node(name: str = NODE) -> dict[str, Any]:
    """Return a Node object with room for many pods."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "500"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room},
    }


@contextmanager
def playing(kubeconfig: Path, folder: Path) -> Iterator[None]:
    """Run kwok while the block runs, with its log in ``folder``."""
    command = (
        Path(os.environ["KUBEBUILDER_ASSETS"]) / "kwok",
        f"--config={STAGES}",
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
    )
    with running(command, folder / "kwok.log"):
        yield


@contextmanager
def running(command: Sequence[str | Path], log_file: Path) -> Iterator[None]:
    """Run a program while the block runs, with what it says in ``log_file``."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def place_pods(client: KubeClient, namespace: str, node_name: str = NODE) -> None:
    """Bind every pod of the namespace to the played node, until cancelled."""
    waiting: asyncio.Queue[str] = asyncio.Queue(1000)

    def on_change(change: Change) -> None:
        if change.kind == "added" and change.new and not change.new["spec"].get("nodeName"):
            waiting.put_nowait(change.key[1])

    pods = Reflector(client, PODS, namespace, on_change=on_change, clock=SystemClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(pods.run())
        while True:
            name = await waiting.get()
            body = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node_name},
            }
            await client.create(PODS, namespace, body, name=name, subresource="binding")
