"""The dev cluster in one process: API server, controllers and the node agent."""

import asyncio
import fcntl
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hourglass_common.domain.clock import Clock
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.performer_crd import performer_crd
from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import ENDPOINT_SLICES, PODS, REPLICA_SETS, SERVICES
from hourglass_common.runtime.logs import get_logger
from hourglass_common.runtime.system_clock import SystemClock

from .apiserver.kubeconfig import write_kubeconfig
from .apiserver.server import serve
from .controllers.endpointslice import EndpointSliceController
from .controllers.events import EventRecorder
from .controllers.replicaset import ReplicaSetController
from .node_agent.agent import NodeAgent
from .node_agent.orphans import end_orphans
from .node_agent.pod_worker import Node
from .node_agent.ports import Ports
from .settings import DevClusterSettings

log = get_logger(__name__)

_READY_SECONDS = 30.0
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Ready:
    """A dev cluster that answers: where, as whom, and the kubeconfig that says so."""

    url: str
    token: str
    kubeconfig: Path


async def run(
    settings: DevClusterSettings,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[Ready], None] | None = None,
) -> None:
    """Run until ``stop`` is set or the task is cancelled; no process is left then.

    ``on_ready`` is called once, when the API answers and the controllers follow it.
    FAILED_PRECONDITION if another process uses the same ``data_dir``, or the port.
    """
    data_dir = settings.data_dir.resolve()
    with _exclusive(data_dir):
        if settings.fresh:
            await asyncio.to_thread(_clear, data_dir)
        host, _, _ = settings.address.rpartition(":")
        async with serve(
            host=host,
            port=settings.port,
            data_dir=data_dir,
            custom_resources=[performer_crd()],
        ) as served:
            kubeconfig = write_kubeconfig(settings.kubeconfig_path, served.url, served.token)
            async with KubeClient(await connect(kubeconfig)) as client:
                ready = Ready(served.url, served.token, kubeconfig)
                log.info("dev cluster serves", url=served.url, kubeconfig=str(kubeconfig))
                await _run_parts(client, data_dir, stop, lambda: on_ready and on_ready(ready))


async def _run_parts(
    client: KubeClient,
    data_dir: Path,
    stop: asyncio.Event | None,
    on_ready: Callable[[], object],
) -> None:
    clock: Clock = SystemClock()
    rng = random.Random()  # noqa: S311  where to begin with ports: no secret
    pods, sets, services, slices = (
        Reflector(client, resource, clock=clock)
        for resource in (PODS, REPLICA_SETS, SERVICES, ENDPOINT_SLICES)
    )
    kubelet = EventRecorder(client, "kubelet", clock)
    keeper = EventRecorder(client, "replicaset-controller", clock)
    node = Node(client, kubelet, clock, Ports(rng.random()), data_dir)
    parts = (
        ReplicaSetController(client, sets, pods, keeper, clock),
        EndpointSliceController(client, services, pods, slices, clock),
        NodeAgent(node, pods),
        kubelet,
        keeper,
    )
    async with asyncio.TaskGroup() as tasks:
        reflectors = (pods, sets, services, slices)
        running = [tasks.create_task(part.run()) for part in (*parts, *reflectors)]
        for reflector in reflectors:
            await reflector.wait_synced(_READY_SECONDS)
        on_ready()
        await (stop or asyncio.Event()).wait()
        for task in running:
            task.cancel()


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock: the kernel drops it when the process ends, however it does."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise HourglassError(
                Code.FAILED_PRECONDITION,
                f"another dev cluster runs on {data_dir}",
                reason="DATA_DIR_IN_USE",
                hint="stop it, or give another folder with --data-dir",
            ) from exc
        yield


def _clear(data_dir: Path) -> None:
    """Remove what a run leaves in its folder, its processes first."""
    end_orphans(data_dir / "pids")
    for path in (*data_dir.glob("cluster.sqlite*"), data_dir / "kubeconfig"):
        path.unlink(missing_ok=True)
    for name in ("logs", "pids"):
        shutil.rmtree(data_dir / name, ignore_errors=True)
