"""The operator's gRPC server."""

from hourglass_common.domain.clock import Clock
from hourglass_common.kube.client import KubeClient
from hourglass_common.runtime.system_clock import SystemClock
from hourglass_services.control.rules import RULES
from hourglass_services.control.servicer import PERFORMER_CONTROL, PerformerControlServicer
from hourglass_services.rpc.access import Access, Memory
from hourglass_services.rpc.guard import CallerLimits, Guard
from hourglass_services.rpc.server import Limits, RpcServer

from hourglass_operator.planning.intent import CONTROL
from hourglass_operator.runtime.gather import Caches as Gathered
from hourglass_operator.settings import ControlSettings

from .caches import Caches
from .reviews import ClusterReviews
from .service import PerformerControl
from .tenant import Tenant
from .writing import Tenancy

CONNECTION_SECONDS = 1800
"""With client certificates; a call that is begun just then may be UNAVAILABLE."""


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
    client: KubeClient,
    gathered: Gathered,
    *,
    limits: Limits | None = None,
    settings: ControlSettings | None = None,
    clock: Clock | None = None,
    memory: Memory | None = None,
) -> RpcServer:
    """Return a server, not started, with PerformerControl, health and reflection.

    Make it before the reflectors of ``gathered`` run or after; start it once they are synced:
    until then every call is UNAVAILABLE. It writes with ``client``, as ``hourglass-control``.
    What its callers put into specs is checked as them, and against ``settings.policy``.
    """
    settings = settings or ControlSettings()
    access = Access(ClusterReviews(client, settings.audience), clock or SystemClock(), memory)
    guard = make_guard(access, settings, clock or SystemClock())
    rules = Tenant(access, settings.policy.policy())
    servicer = PerformerControlServicer(make_control(client, gathered, tenancy=rules))
    return RpcServer([(PERFORMER_CONTROL, servicer)], limits or _limits(settings), guard)


def _limits(settings: ControlSettings) -> Limits:
    """A certificate is looked at when a connection is made: where it says who calls, that ends."""
    return Limits(connection_seconds=CONNECTION_SECONDS if settings.tls.client_ca_file else 0)


def make_guard(access: Access, settings: ControlSettings, clock: Clock) -> Guard:
    """Return what stands before PerformerControl."""
    caller = settings.caller
    return Guard(
        RULES,
        access,
        clock,
        required=settings.authenticates,
        limits=CallerLimits(
            per_second=caller.calls_per_second,
            burst=caller.burst,
            calls=caller.calls,
            streams=caller.streams,
        ),
    )
