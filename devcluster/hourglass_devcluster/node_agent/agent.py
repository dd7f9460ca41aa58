"""The node: gives every pod a worker of its own, and cleans up after runs that were killed."""

import asyncio
import shutil
from pathlib import Path

from hourglass_common.kube.objects import uid
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import Manifest
from hourglass_common.kube.watch_state import Change
from hourglass_common.runtime.logs import get_logger

from .orphans import end_orphans
from .pod_worker import NODE_NAME, Node, PodWorker

log = get_logger(__name__)


class NodeAgent:
    """Runs the pods of node ``devcluster``, and those that have no node yet.

    Cancelling ``run`` is the stop: all processes have ended when it returns, after about a
    second at most. The pods stay in the API; the next run starts their processes again.
    """

    def __init__(self, node: Node, pods: Reflector) -> None:
        self._node = node
        self._pods = pods
        self._workers: dict[str, PodWorker] = {}

    async def run(self) -> None:
        ended = await asyncio.to_thread(end_orphans, self._node.pids)
        if ended:
            log.info("ended processes that an earlier run left", processes=ended)
        await self._pods.synced.wait()
        known = {uid(pod) for pod in self._pods.objects.values()}
        await asyncio.to_thread(_remove_old_logs, self._node.logs, known)
        async with asyncio.TaskGroup() as tasks:
            stop_listening = self._pods.listen(lambda change: self._changed(change, tasks))
            try:
                for pod in tuple(self._pods.objects.values()):
                    self._saw(pod, tasks)
                await asyncio.Event().wait()
            finally:
                stop_listening()

    def _changed(self, change: Change, tasks: asyncio.TaskGroup) -> None:
        if change.new is not None:
            self._saw(change.new, tasks)
        elif change.old is not None and (worker := self._workers.get(uid(change.old))):
            worker.lost()

    def _saw(self, pod: Manifest, tasks: asyncio.TaskGroup) -> None:
        worker = self._workers.get(uid(pod))
        if worker is not None:
            worker.saw(pod)
        elif _is_ours(pod):
            worker = self._workers[uid(pod)] = PodWorker(pod, self._node)
            tasks.create_task(self._work(uid(pod), worker))

    async def _work(self, pod_uid: str, worker: PodWorker) -> None:
        try:
            await worker.run()
        finally:
            del self._workers[pod_uid]
        await asyncio.to_thread(shutil.rmtree, worker.folder, ignore_errors=True)


def _is_ours(pod: Manifest) -> bool:
    node = pod["spec"].get("nodeName")
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        return False
    return node == NODE_NAME or (not node and not pod["metadata"].get("deletionTimestamp"))


def _remove_old_logs(root: Path, known: set[str]) -> None:
    for folder in root.glob("*_*_*"):
        if folder.name.rpartition("_")[2] not in known:
            shutil.rmtree(folder, ignore_errors=True)
