"""The how-to of tenants, played on a real API server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.resources import PERFORMERS, Manifest

from tests.support.commands import find
from tests.support.control_plane import ControlPlane
from tests.support.dev_run import REPOSITORY
from tests.support.operator_cluster import until
from tests.support.targets import ADMISSION, REAL
from tests.support.tenants import own_api
from tests.support.tours import steps, walk

pytestmark = [pytest.mark.real_api, pytest.mark.only(REAL, ADMISSION)]

DOCUMENT = REPOSITORY / "docs/how-to/let-tenants-in.md"
_META = {"name": "probe"}
_IN_FORCE: dict[str, tuple[str, Manifest]] = {
    "apply -f deploy/rbac": (
        "set by PerformerControl alone",
        {"annotations": {"hourglass.eigenlayer.io/requested-by": "me"}},
    ),
    "patch validatingadmissionpolicy": ("images are taken from these registries only", {}),
}
"""After which command the API refuses what; that takes it a second, and a reader longer."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with own_api(Path(tmp_path_factory.mktemp("tenants-tour"))) as plane:
        yield plane


async def test_the_tour_of_tenants(api: ControlPlane, tmp_path: Path) -> None:
    if find("kubectl") is None:
        pytest.skip("kubectl neither in KUBEBUILDER_ASSETS nor in PATH")
    (tmp_path / "deploy").symlink_to(REPOSITORY / "deploy")
    environ = {
        "HOME": str(tmp_path),
        "KUBECONFIG": str(api.kubeconfig),
        "PATH": os.pathsep.join((os.environ.get("KUBEBUILDER_ASSETS", ""), os.environ["PATH"])),
    }
    tour = list(steps(DOCUMENT.read_text()))
    assert len(tour) >= 5
    assert all(step.expected for step in tour)
    async with KubeClient(await connect(api.kubeconfig), user_agent="test") as client:
        for step in tour:
            await walk([step], {}, cwd=tmp_path, environ=environ)
            for command, (words, meta) in _IN_FORCE.items():
                if command in step.commands:
                    await _refused(client, words, meta)


async def _refused(client: KubeClient, words: str, meta: Manifest) -> None:
    body = {
        "apiVersion": PERFORMERS.api_version,
        "kind": PERFORMERS.kind,
        "metadata": {**_META, **meta},
        "spec": {"avsAddress": "0xAb", "image": "demo:1"},
    }

    async def refused() -> bool | None:
        try:
            await client.create(PERFORMERS, "default", body, dry_run=True)
        except KubeError as error:
            return words in error.message or None
        return None

    await until(refused, f"the API refuses: {words}")
