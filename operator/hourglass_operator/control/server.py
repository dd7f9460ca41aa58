"""The operator's gRPC server."""

from hourglass_common.kube.client import KubeClient
from hourglass_services.control.servicer import PERFORMER_CONTROL, PerformerControlServicer
from hourglass_services.rpc.server import Limits, RpcServer

from hourglass_operator.planning.intent import CONTROL
from hourglass_operator.runtime.gather import Caches as Gathered

from .caches import Caches
from .service import PerformerControl
from .writing import Tenancy


def make_control(
    client: KubeClient,
    gathered: Gathered,
    *,
    tenancy: Tenancy | None = None,
    manager: str = CONTROL,
    stamps: bool = True,
) -> PerformerControl:
    """Return PerformerControl over the caches that plans are made from; see there."""
    caches = Caches(
        gathered.performers,
        gathered.endpoint_slices,
        gathered.pods,
        gathered.replica_sets,
        gathered.drain_leases,
    )
    return PerformerControl(
        client, caches, gathered.gather, tenancy=tenancy, manager=manager, stamps=stamps
    )


def make_control_server(
    client: KubeClient, gathered: Gathered, *, limits: Limits | None = None
) -> RpcServer:
    """Return a server, not started, with PerformerControl, health and reflection.

    Make it before the reflectors of ``gathered`` run or after; start it once they are synced:
    until then every call is UNAVAILABLE. It writes with ``client``, as ``hourglass-control``.
    """
    servicer = PerformerControlServicer(make_control(client, gathered))
    return RpcServer([(PERFORMER_CONTROL, servicer)], limits)
