"""The worlds of the bench: a control plane alone, or with a scheduler and nodes played by kwok.

The operator and the bare client each have a user of their own, in the group of service accounts,
so that the API server queues their requests as it would those of an operator in a pod. Only the
requests of these two are audited.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hourglass_common.kube.client import KubeClient
from hourglass_common.kube.connection import connect
from hourglass_common.kube.resources import NODES, Manifest, Resource

from tests.bench.operator_rig.wire import Server
from tests.support.control_plane import (
    TOKEN,
    Options,
    Processes,
    own_control_plane,
    write_kubeconfig,
)
from tests.support.played_nodes import playing, running

OPERATOR, BARE = "bench-operator", "bench-bare-client"
NODE_COUNT = 8
PODS_PER_NODE = 300
_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "", namespaced=False)

_UNLIMITED = ("--kube-api-qps=2000", "--kube-api-burst=2000")
_NO_NODE_LIFE = ("--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of world.

    ``limited``: each controller of the controller-manager makes 20 requests a second, its
    default: 1000 pods take 50 s. ``nodes``: pods are placed by a scheduler and made Ready by
    kwok; without, the bench plays both, and no controller looks after the nodes.
    """

    limited: bool
    nodes: bool


ALONE = Kind(limited=True, nodes=False)
QUICK = Kind(limited=False, nodes=False)
PLAYED = Kind(limited=False, nodes=True)


@dataclass(frozen=True, slots=True)
class World:
    """A running control plane."""

    url: str
    folder: Path
    audit_log: Path
    operator_kubeconfig: Path
    kind: Kind
    processes: Processes

    def restart_controllers(self, *, limited: bool) -> None:
        """Run the controllers anew, with or without their default limit, in the same world."""
        self.processes.restart_controllers(controller_flags(limited, self.kind.nodes))

    @property
    def admin(self) -> Server:
        return Server(self.url, TOKEN, "bench")

    @property
    def bare(self) -> Server:
        return Server(self.url, BARE, "bench-bare-client")


@contextmanager
def world(folder: Path, kind: Kind) -> Iterator[World]:
    """Run a fresh control plane while the block runs."""
    group = "system:serviceaccounts"
    options = Options(
        users=tuple(f"{user},{user},{user},{group}" for user in (OPERATOR, BARE)),
        audit_policy=audit_policy(OPERATOR, BARE),
        api_server=(),
        controller_manager=controller_flags(kind.limited, kind.nodes),
    )
    with ExitStack() as stack:
        processes = stack.enter_context(own_control_plane(folder, options))
        plane = processes.plane
        if kind.nodes:
            stack.enter_context(playing(plane.kubeconfig, folder))
            stack.enter_context(_scheduling(plane.kubeconfig, folder))
        theirs = folder / "operator.kubeconfig"
        write_kubeconfig(theirs, plane.url, OPERATOR)
        yield World(plane.url, folder, plane.audit_log, theirs, kind, processes)


def controller_flags(limited: bool, nodes: bool) -> tuple[str, ...]:
    return (*(() if limited else _UNLIMITED), *(() if nodes else _NO_NODE_LIFE))


def audit_policy(*users: str) -> dict[str, object]:
    """Return the policy that records what these users ask, once each, without bodies."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": list(users)}, {"level": "None"}],
    }


@contextmanager
def _scheduling(kubeconfig: Path, folder: Path) -> Iterator[None]:
    command = (
        Path(os.environ["KUBEBUILDER_ASSETS"]) / "kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        *_UNLIMITED,
    )
    with running(command, folder / "kube-scheduler.log"):
        yield


async def furnish(client: KubeClient) -> None:
    """Make the nodes, and give the two users the rights of an administrator."""
    for number in range(NODE_COUNT):
        await client.create(NODES, None, node(node_name(number)))
    binding = {
        "apiVersion": _BINDINGS.api_version,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "bench"},
        "roleRef": {
            "apiGroup": _BINDINGS.group,
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [
            {"apiGroup": _BINDINGS.group, "kind": "User", "name": user} for user in (OPERATOR, BARE)
        ],
    }
    await client.create(_BINDINGS, None, binding)


def node_name(number: int) -> str:
    return f"played-{number % NODE_COUNT}"


def node(name: str) -> Manifest:
    """Return a Node object with room for many pods."""
    room = {"cpu": "640", "memory": "2560Gi", "pods": str(PODS_PER_NODE)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room},
    }


async def admin_client(world: World) -> KubeClient:
    """Return the bench's own client, to be used as a context manager."""
    return KubeClient(await connect(world.folder / "kubeconfig"))
