"""Nodes played by kwok, and the real scheduler: pods are placed, run and turn Ready by themselves.

Both programs come from ``$KUBEBUILDER_ASSETS``; their pods' addresses are fictions.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("kwok", "kube-scheduler")
NODE = "played-1"
STAGES = Path(__file__).with_name("kwok_stages.yaml")


def why_unavailable() -> str | None:
    """Return which program is missing, None if nodes can be played."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return "KUBEBUILDER_ASSETS is not set"
    missing = [name for name in PROGRAMS if not (Path(assets) / name).exists()]
    return f"KUBEBUILDER_ASSETS lacks {', '.join(missing)}" if missing else None


def node() -> dict[str, Any]:
    """Return a Node object with room for many pods."""
    room = {"cpu": "64", "memory": "256Gi", "pods": "500"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room},
    }


@contextmanager
def playing(kubeconfig: Path, folder: Path) -> Iterator[None]:
    """Run kwok and the scheduler while the block runs, with their logs in ``folder``."""
    assets = Path(os.environ["KUBEBUILDER_ASSETS"])
    commands: tuple[list[str | Path], ...] = (
        [
            assets / "kwok",
            f"--config={STAGES}",
            f"--kubeconfig={kubeconfig}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
        ],
        [
            assets / "kube-scheduler",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
        ],
    )
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log))
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
