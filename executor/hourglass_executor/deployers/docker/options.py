"""Docker mode's options, from the configuration and the environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hourglass_executor.settings import ExecutorSettings
from hourglass_executor.settings_docker import Docker

from .engine import EngineAddress
from .plan import Confinement, Place, executor_mark

PullPolicy = Literal["IfNotPresent", "Always", "Never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerOptions:
    """What the configuration says of docker mode."""

    address: EngineAddress
    place: Place
    confinement: Confinement = field(default_factory=Confinement)
    pull: PullPolicy = "IfNotPresent"
    credentials: Path | None = None
    stop_grace: float = 10.0
    logs: Path = Path("logs")


def docker_options(settings: ExecutorSettings, environ: Mapping[str, str]) -> DockerOptions:
    given = settings.docker or Docker()
    address = EngineAddress.of_environment(environ)
    folder = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME", "/")) / ".docker")
    data = str(Path(settings.data_dir).absolute())
    return DockerOptions(
        address=replace(address, host=given.host) if given.host else address,
        place=Place(
            executor=executor_mark(settings.operator.address, data),
            network=settings.performer_network_name,
        ),
        confinement=Confinement(
            user=given.user,
            memory_bytes=given.memory,
            cpus=given.cpus,
            pids=given.pids,
            read_only_root=given.read_only_root,
            init=given.init,
            log_bytes=given.log_size,
        ),
        pull=given.image_pull_policy,
        credentials=given.credentials_file or Path(folder) / "config.json",
        stop_grace=given.stop_grace,
        logs=Path(data) / "logs",
    )
