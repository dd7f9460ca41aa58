"""A pod as its node runs it: one process, its probes, its times. Read from the spec; no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from hourglass_common.kube.objects import GRPC_PORT_NAME
from hourglass_common.kube.objects import PORT_ANNOTATION as PORT_ANNOTATION

Manifest = Mapping[str, Any]
RestartPolicy = Literal["Always", "OnFailure", "Never"]

_HARMLESS_VOLUMES = ("emptyDir", "projected")


class ProbeKind(Enum):
    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(frozen=True, slots=True)
class GrpcCheck:
    """Passes when grpc.health.v1 says SERVING for ``service``."""

    port: int | str
    service: str


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Passes when the port takes a connection."""

    port: int | str


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Passes when a GET is answered with a status from 200 to 399."""

    port: int | str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


Check = GrpcCheck | TcpCheck | HttpCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Times in seconds; the thresholds count results in a row.

    ``grace_seconds`` is what the process gets when this probe ends it, if not what the pod says.
    """

    check: Check
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    failure_threshold: int = 3
    success_threshold: int = 1
    grace_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    """``trouble`` says why a process can not stand in for this pod; empty if it can."""

    container: Manifest
    restart_policy: RestartPolicy = "Always"
    grace_seconds: float = 30.0
    pre_stop_seconds: float = 0.0
    probes: tuple[tuple[ProbeKind, Probe], ...] = ()
    trouble: str = ""

    def probe(self, kind: ProbeKind) -> Probe | None:
        return next((probe for own, probe in self.probes if own is kind), None)


def read_pod_spec(pod: Manifest) -> PodSpec:
    """Return what the node needs of a pod that the API accepted."""
    spec = pod.get("spec") or {}
    container: Manifest = (spec.get("containers") or ({},))[0]
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    trouble = _trouble(spec, container)
    probes: list[tuple[ProbeKind, Probe]] = []
    for kind in ProbeKind:
        given = container.get(f"{kind.value}Probe")
        if given:
            check = _check(given)
            if check is None:
                trouble = trouble or (
                    f"its {kind.value} probe is neither grpc, tcpSocket nor httpGet"
                )
                continue
            probes.append((kind, _probe(given, check)))
    policy: RestartPolicy = spec.get("restartPolicy") or "Always"
    return PodSpec(
        container=container,
        restart_policy=policy,
        grace_seconds=float(spec.get("terminationGracePeriodSeconds", 30)),
        pre_stop_seconds=float((hook.get("sleep") or {}).get("seconds") or 0),
        probes=tuple(probes),
        trouble=trouble,
    )


def grpc_port(container: Manifest) -> int | None:
    """Return the port that the container declares for gRPC: the one named so, else its first."""
    ports = container.get("ports") or ()
    for port in ports:
        if port.get("name") == GRPC_PORT_NAME:
            return int(port["containerPort"])
    return int(ports[0]["containerPort"]) if ports else None


def real_port(container: Manifest, asked: int | str, given: int) -> int | None:
    """Return where ``asked`` (a number or a name) really is; ``given`` is the pod's own port.

    The declared gRPC port is the given one; any other is itself. None for an unknown name.
    """
    declared = grpc_port(container)
    for port in container.get("ports") or ():
        if port.get("name") == asked or port["containerPort"] == asked:
            number = int(port["containerPort"])
            return given if number == declared else number
    if isinstance(asked, int):
        return given if declared is None else asked
    return given if asked == GRPC_PORT_NAME else None


def _trouble(spec: Manifest, container: Manifest) -> str:
    if len(spec.get("containers") or ()) != 1:
        return "it has more than one container"
    if spec.get("initContainers"):
        return "it has init containers"
    mounted = {mount.get("name") for mount in container.get("volumeMounts") or ()}
    for volume in spec.get("volumes") or ():
        if volume.get("name") in mounted and not any(each in volume for each in _HARMLESS_VOLUMES):
            return f"it mounts the volume {volume.get('name')}"
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if hook and "sleep" not in hook:
        return "its preStop hook is not a sleep"
    return ""


def _check(given: Manifest) -> Check | None:
    if grpc := given.get("grpc"):
        return GrpcCheck(grpc["port"], grpc.get("service") or "")
    if tcp := given.get("tcpSocket"):
        return TcpCheck(tcp["port"])
    if http := given.get("httpGet"):
        headers = tuple((each["name"], each["value"]) for each in http.get("httpHeaders") or ())
        return HttpCheck(http["port"], http.get("path") or "/", headers)
    return None


def _probe(given: Manifest, check: Check) -> Probe:
    grace = given.get("terminationGracePeriodSeconds")
    return Probe(
        check=check,
        initial_delay=float(given.get("initialDelaySeconds") or 0),
        period=float(given.get("periodSeconds") or 10),
        timeout=float(given.get("timeoutSeconds") or 1),
        failure_threshold=int(given.get("failureThreshold") or 3),
        success_threshold=int(given.get("successThreshold") or 1),
        grace_seconds=None if grace is None else float(grace),
    )
