"""The whole dev cluster (API, controllers, node) on a loop and thread of its own, for tests.

from tests.support.dev_cluster import dev_cluster  # noqa: F401  a fixture
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import NAMESPACES
from hourglass_devcluster.main import Ready, run
from hourglass_devcluster.settings import DevClusterSettings

START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class DevCluster:
    """A running one; ``data_dir`` holds its logs and process ids."""

    url: str
    token: str
    kubeconfig: Path
    data_dir: Path


@contextmanager
def running_dev_cluster(data_dir: Path) -> Iterator[DevCluster]:
    """Run one in a thread; when the block ends, all its processes have ended."""
    found: list[Ready] = []
    failed: list[BaseException] = []
    begun = threading.Event()
    loop_and_stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop_and_stop.append((asyncio.get_running_loop(), stop))

        def ready(told: Ready) -> None:
            found.append(told)
            begun.set()

        settings = DevClusterSettings(data_dir=data_dir, address="127.0.0.1:0")
        await run(settings, stop=stop, on_ready=ready)

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # told to the thread that waits
            failed.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=work, name="dev-cluster", daemon=True)
    thread.start()
    assert begun.wait(START_SECONDS), "the dev cluster does not start"
    if failed:
        raise failed[0]
    ready = found[0]
    try:
        yield DevCluster(ready.url, ready.token, ready.kubeconfig, data_dir)
    finally:
        loop, stop = loop_and_stop[0]
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(STOP_SECONDS)
    assert not thread.is_alive(), "the dev cluster does not stop"
    if failed:
        raise failed[0]


@pytest.fixture(scope="session")
def dev_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevCluster]:
    """One dev cluster for the whole session: take a namespace of your own."""
    with running_dev_cluster(Path(tmp_path_factory.mktemp("dev-cluster"))) as cluster:
        yield cluster


@asynccontextmanager
async def client_in(cluster: DevCluster, namespace: str) -> AsyncIterator[KubeClient]:
    """A client, with ``namespace`` made; it is removed on the way out."""
    async with KubeClient(await connect(cluster.kubeconfig)) as client:
        await client.create(NAMESPACES, None, {"metadata": {"name": namespace}})
        try:
            yield client
        finally:
            await client.delete(NAMESPACES, None, namespace)
