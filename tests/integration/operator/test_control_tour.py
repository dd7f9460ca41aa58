"""The how-to of the control API, verb by verb, on both API servers."""

import asyncio
import os
from pathlib import Path

import pytest
from hourglass_services.control.servicer import PERFORMER_CONTROL

from tests.support.commands import find
from tests.support.control_plane import ControlPlane
from tests.support.dev_run import REPOSITORY
from tests.support.operator_cluster import Cluster
from tests.support.readiness import PodReadiness
from tests.support.tours import steps, walk

DOCUMENT = REPOSITORY / "docs/how-to/use-the-control-api.md"


def test_every_verb_is_in_the_tour() -> None:
    commands = "".join(step.commands for step in steps(DOCUMENT.read_text()))
    missing = [m.name for m in PERFORMER_CONTROL.methods if f"$CONTROL/{m.name}" not in commands]
    assert missing == []


async def test_the_tour_of_the_control_api(
    cluster: Cluster, plane: ControlPlane, tmp_path: Path
) -> None:
    for program in ("kubectl", "grpcurl"):
        if find(program) is None:
            pytest.skip(f"{program} neither in KUBEBUILDER_ASSETS nor in PATH")
    tour = [step for step in steps(DOCUMENT.read_text()) if not step.needs_node]
    environ = {
        "HOME": str(tmp_path),
        "PATH": os.pathsep.join((os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ["PATH"])),
    }
    readiness = PodReadiness(cluster.client, "default", accepts=lambda _: True)
    async with (
        cluster.operator(watch_namespaces=("default",)) as addresses,
        asyncio.TaskGroup() as group,
    ):
        following = group.create_task(readiness.run())
        instead = {
            "127.0.0.1:50051": addresses.control,
            ".hourglass/kubeconfig": str(plane.kubeconfig),
        }
        await walk(tour, instead, cwd=tmp_path, environ=environ)
        following.cancel()
