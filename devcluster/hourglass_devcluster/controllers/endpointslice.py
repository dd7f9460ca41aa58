"""The EndpointSlice controller: applies ``model.endpointslice_plan``, one Service at a time."""

from hourglass_common.domain.clock import Clock
from hourglass_common.kube.client import KubeClient, Precondition
from hourglass_common.kube.errors import KubeError
from hourglass_common.kube.objects import labels, uid
from hourglass_common.kube.reflector import Reflector
from hourglass_common.kube.resources import ENDPOINT_SLICES, Manifest
from hourglass_common.kube.watch_state import Change, Key

from hourglass_devcluster.model.endpointslice_plan import SERVICE_LABEL, plan, selects

from .work import Work

_LAG_SECONDS = 0.2
"""When a write met a newer object than the cache has, it is looked at again after this."""


class EndpointSliceController:
    """Reads three caches, writes through ``client``; ``run`` until cancelled.

    Names are deterministic, so that nothing is made twice when the cache lags behind.
    """

    def __init__(
        self,
        client: KubeClient,
        services: Reflector,
        pods: Reflector,
        slices: Reflector,
        clock: Clock,
    ) -> None:
        self._client = client
        self._services = services
        self._pods = pods
        self._slices = slices
        self._work = Work(clock)
        services.listen(lambda change: self._work.add(change.key))
        pods.listen(self._pod_changed)
        slices.listen(self._slice_changed)

    async def run(self) -> None:
        for reflector in (self._services, self._pods, self._slices):
            await reflector.synced.wait()
        await self._work.run(self._reconcile)

    def _pod_changed(self, change: Change) -> None:
        for pod in (change.old, change.new):
            if pod is None:
                continue
            namespace = pod["metadata"].get("namespace", "")
            for key, service in self._services.objects.items():
                if key[0] == namespace and selects(service, pod):
                    self._work.add(key)

    def _slice_changed(self, change: Change) -> None:
        for piece in (change.old, change.new):
            if piece is not None and (name := labels(piece).get(SERVICE_LABEL)):
                self._work.add((change.key[0], name))

    async def _reconcile(self, key: Key) -> float | None:
        service = self._services.objects.get(key)
        if service is None:
            return None  # its slices go with it, by their owner reference
        decided = plan(service, self._of(self._pods, key), self._of(self._slices, key))
        namespace, lags = key[0], False
        for body in decided.creates:
            lags |= await self._create(namespace, body)
        for body in decided.replaces:
            lags |= await self._replace(namespace, body)
        for piece in decided.deletes:
            lags |= await self._delete(piece)
        return _LAG_SECONDS if lags else None

    def _of(self, reflector: Reflector, key: Key) -> list[Manifest]:
        return [each for (space, _), each in reflector.objects.items() if space == key[0]]

    async def _create(self, namespace: str, body: Manifest) -> bool:
        try:
            await self._client.create(ENDPOINT_SLICES, namespace, body)
        except KubeError as error:
            return _is_lag(error)
        return False

    async def _replace(self, namespace: str, body: Manifest) -> bool:
        try:
            await self._client.replace(ENDPOINT_SLICES, namespace, body)
        except KubeError as error:
            return _is_lag(error)
        return False

    async def _delete(self, piece: Manifest) -> bool:
        meta = piece["metadata"]
        precondition = Precondition(uid(piece), meta.get("resourceVersion"))
        try:
            await self._client.delete(
                ENDPOINT_SLICES, meta["namespace"], meta["name"], precondition=precondition
            )
        except KubeError as error:
            return _is_lag(error)
        return False


def _is_lag(error: KubeError) -> bool:
    """Return True for what a cache behind the server explains; raise anything else."""
    if error.is_already_exists or error.is_conflict or error.is_not_found:
        return True
    raise error
