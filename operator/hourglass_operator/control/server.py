"""The operator's gRPC server."""

from hourglass_common.kube.client import KubeClient
from hourglass_services.control.servicer import PERFORMER_CONTROL, PerformerControlServicer
from hourglass_services.rpc.server import Limits, RpcServer

from .caches import Caches
from .service import PerformerControl


def make_control_server(
    client: KubeClient, caches: Caches, *, limits: Limits | None = None
) -> RpcServer:
    """Return a server, not started, with PerformerControl, health and reflection.

    Make it before the reflectors of ``caches`` run or after; start it once they are synced:
    until then every call is UNAVAILABLE. It writes with ``client``, as ``hourglass-control``.
    """
    servicer = PerformerControlServicer(PerformerControl(client, caches))
    return RpcServer([(PERFORMER_CONTROL, servicer)], limits)
