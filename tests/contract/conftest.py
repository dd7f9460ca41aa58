"""The targets of the contract suite: a real control plane, and the dev cluster's.

Every test runs against both. ``@covers("list pods")`` states which requests of our programs and
of kubectl a test stands for; the ``api`` fixture checks that the test really made them.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.resources import NAMESPACES

from tests.support.control_plane import ControlPlane
from tests.support.dev_control_plane import serve_dev_control_plane
from tests.support.kube_requests import KubeRequests
from tests.support.ruled_crd import ruled_crd

REAL = "real"
DEV = "dev"


@dataclass(frozen=True)
class Target:
    """An API server under test."""

    name: str
    url: str
    token: str


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "covers(*requests): requests that the test stands for")
    config.addinivalue_line("markers", "only(target, reason): the one target of the test")


@pytest.fixture(scope="session")
def dev_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The dev cluster's API server and controllers, on a loop and thread of their own."""
    data_dir = Path(tmp_path_factory.mktemp("dev-cluster"))
    ready = threading.Event()
    found: list[Target] = []
    failed: list[BaseException] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stopping = asyncio.Event()
        definitions = [performer_crd(), ruled_crd()]
        async with serve_dev_control_plane(data_dir, definitions) as (url, token):
            found.append(Target(DEV, url, token))
            stop.append((asyncio.get_running_loop(), stopping))
            ready.set()
            await stopping.wait()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # told to the thread that waits
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="dev-control-plane")
    thread.start()
    ready.wait(30)
    if failed:
        raise failed[0]
    yield found[0]
    loop, stopping = stop[0]
    loop.call_soon_threadsafe(stopping.set)
    thread.join(15)
    assert not thread.is_alive(), "the dev control plane does not stop"
    if failed:
        raise failed[0]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each case on both targets, or on the one that it is marked for: never as a skip."""
    if "target" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        names = [REAL, DEV] if only is None else [only.args[0]]
        metafunc.parametrize("target", names, indirect=True)


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
