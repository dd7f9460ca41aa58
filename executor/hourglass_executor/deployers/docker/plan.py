"""What a performer's containers are to be, and what is read off those there are. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hourglass_executor.deployers.deployment import Deployment, object_name

Json = Mapping[str, Any]

PORT = 8080
"""The reference's: performers are told by GRPC_PORT."""
EXECUTOR_LABEL = "hourglass.eigenlayer.io/executor"
PERFORMER_LABEL = "hourglass.eigenlayer.io/performer-id"
INDEX_LABEL = "hourglass.eigenlayer.io/instance"
NOBODY = "65532:65532"
_DOWN = frozenset({"created", "exited", "stopped", "configured", "initialized"})
"""Docker's words and Podman's."""
_ROOT = frozenset({"", "0", "root"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a container may do; 0 and "" mean that the engine's own default holds.

    ``user`` replaces the image's; unset, an image that would run as root runs as nobody.
    """

    user: str = ""
    memory_bytes: int = 0
    cpus: float = 0.0
    pids: int = 1024
    read_only_root: bool = False
    init: bool = True
    log_bytes: int = 10 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where containers go: a user-defined ``network`` that the executor is on too, or "" for a
    loopback port of each."""

    executor: str
    network: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A container as the engine has it; ``address`` is "" while it has none."""

    id: str
    index: int
    performer_id: str
    running: bool
    address: str
    trouble: str
    is_down: bool = False
    """It does not run, and the engine will not start it by itself."""


def container_name(deployment: Deployment, index: int) -> str:
    return f"{object_name(deployment.avs, deployment.performer_id)}-{index}"


def container_body(
    deployment: Deployment,
    index: int,
    environment: Mapping[str, str],
    place: Place,
    confinement: Confinement,
    image_user: str,
) -> dict[str, Any]:
    """Return the body that creates one instance; ``image_user`` is what the image asks for.

    The engine starts it again when it ends, whether or not an executor runs.
    """
    port = f"{PORT}/tcp"
    told = {**environment, "GRPC_PORT": str(PORT)}
    return {
        "Image": deployment.artifact.image,
        "Hostname": container_name(deployment, index)[:63],
        "User": _user(confinement, image_user),
        "Env": [f"{name}={value}" for name, value in sorted(told.items())],
        "Labels": labels(deployment, index, place),
        "ExposedPorts": {port: {}},
        "HostConfig": {
            "RestartPolicy": {"Name": "unless-stopped"},
            "NetworkMode": place.network or "bridge",
            "PortBindings": {}
            if place.network
            else {port: [{"HostIp": "127.0.0.1", "HostPort": ""}]},
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Privileged": False,
            "ReadonlyRootfs": confinement.read_only_root,
            "Tmpfs": {"/tmp": "size=64m"} if confinement.read_only_root else {},  # noqa: S108
            "Init": confinement.init,
            "Memory": confinement.memory_bytes,
            "NanoCpus": round(confinement.cpus * 1e9),
            "PidsLimit": confinement.pids or None,
            "LogConfig": {
                "Type": "json-file",
                "Config": {"max-size": str(confinement.log_bytes), "max-file": "3"},
            },
        },
    }


def labels(deployment: Deployment, index: int, place: Place) -> dict[str, str]:
    """Return the labels by which a container is found again, and known to be ours."""
    return {
        EXECUTOR_LABEL: place.executor,
        PERFORMER_LABEL: deployment.performer_id,
        INDEX_LABEL: str(index),
    }


def executor_mark(operator: str, data_directory: str) -> str:
    """Return what tells an executor's containers from those of others on the same engine."""
    text = json.dumps([operator.lower(), data_directory])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(container: Json, network: str) -> Found | None:
    """Return what an inspection says, None for a container that is not an instance of ours."""
    marks = (container.get("Config") or {}).get("Labels") or {}
    performer_id, index = marks.get(PERFORMER_LABEL, ""), str(marks.get(INDEX_LABEL, ""))
    if not performer_id or not index.isdecimal():
        return None
    state = container.get("State") or {}
    running = bool(state.get("Running")) and not state.get("Restarting")
    return Found(
        id=str(container["Id"]),
        index=int(index),
        performer_id=performer_id,
        running=running,
        address=_address(container, network) if running else "",
        trouble="" if running else _trouble(state),
        is_down=str(state.get("Status")) in _DOWN,
    )


def wanted_indices(replicas: int, found: Sequence[Found]) -> tuple[int, ...]:
    """Return the instances that have no container."""
    there = {each.index for each in found}
    return tuple(index for index in range(replicas) if index not in there)


def _user(confinement: Confinement, image_user: str) -> str:
    if confinement.user:
        return confinement.user
    return NOBODY if image_user.partition(":")[0] in _ROOT else image_user


def _address(container: Json, network: str) -> str:
    settings = container.get("NetworkSettings") or {}
    if network:
        own = (settings.get("Networks") or {}).get(network) or {}
        ip = str(own.get("IPAddress") or "")
        return f"{ip}:{PORT}" if ip else ""
    bound = (settings.get("Ports") or {}).get(f"{PORT}/tcp") or ()
    return next((f"127.0.0.1:{each['HostPort']}" for each in bound if each.get("HostPort")), "")


def _trouble(state: Json) -> str:
    if state.get("OOMKilled"):
        return "it was ended for want of memory: raise docker.memory"
    said = str(state.get("Error") or "")
    code = state.get("ExitCode")
    status = str(state.get("Status") or "gone")
    if said:
        return f"it is {status}: {said}"
    return f"it is {status}" + (f", last with exit code {code}" if code is not None else "")
