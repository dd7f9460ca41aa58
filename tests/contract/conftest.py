"""The targets of the contract suite: a real control plane, and the dev cluster's.

Every test runs against both. ``@covers("list pods")`` states which requests of our programs and
of kubectl a test stands for; the ``api`` fixture checks that the test really made them.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.resources import NAMESPACES

from tests.support.control_plane import ControlPlane
from tests.support.kube_requests import KubeRequests
from tests.support.ruled_crd import ruled_crd
from tests.support.targets import DEV, REAL, dev_control_plane, targets_of


@dataclass(frozen=True)
class Target:
    """An API server under test."""

    name: str
    url: str
    token: str


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "covers(*requests): requests that the test stands for")


@pytest.fixture(scope="session")
def dev_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The dev cluster's API server and controllers, on a loop and thread of their own."""
    folder = Path(tmp_path_factory.mktemp("dev-cluster"))
    with dev_control_plane(folder, [performer_crd(), ruled_crd()]) as plane:
        yield Target(DEV, plane.url, plane.token)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each case on both targets, or on the one that it is marked for: never as a skip."""
    if "target" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        metafunc.parametrize("target", targets_of(only), indirect=True)


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    if request.param == DEV:
        found: Target = request.getfixturevalue("dev_api")
        return found
    plane: ControlPlane = request.getfixturevalue("real_api")
    return Target(REAL, plane.url, plane.token)


@pytest.fixture
async def api(target: Target, request: pytest.FixtureRequest) -> AsyncIterator[KubeRequests]:
    """Requests to the target; at the end, what the test says it covers must have been asked."""
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        requests = KubeRequests(target.url, target.token, session)
        yield requests
    declared = {name for mark in request.node.iter_markers("covers") for name in mark.args}
    missing = declared - requests.made
    assert not missing, f"declared as covered but not asked: {sorted(missing)}"


@pytest.fixture
async def space(api: KubeRequests) -> AsyncIterator[str]:
    """A fresh namespace."""
    name = f"contract-{uuid4().hex[:10]}"
    (await api.create(NAMESPACES, None, {"metadata": {"name": name}})).ok()
    yield name
    await api.delete(NAMESPACES, None, name)
