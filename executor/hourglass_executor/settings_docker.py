"""The part of the configuration that is about docker mode."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .duration import Duration
from .settings_sections import Section

_SIZE = re.compile(r"(\d+)(Ki|Mi|Gi|k|M|G)?")
_FACTORS: Mapping[str, int] = {
    "": 1,
    "k": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
}


def _bytes(value: Any) -> int:
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        raise ValueError('write an amount such as "512Mi" or "2Gi", or a number of bytes')
    return int(match[1]) * _FACTORS[match[2] or ""]


Size = Annotated[int, BeforeValidator(_bytes)]


class Docker(Section):
    """Ours: performers as containers of a Docker Engine, or of Podman by its compatible socket.

    ``host`` is ``unix:///path`` or ``tcp://host:port``, else ``$DOCKER_HOST``, else docker's own
    socket. Containers join ``performerNetworkName`` where it is set, and else have a loopback port
    each. ``memory``, ``cpus`` and ``pids`` are limits, 0 for none; ``user`` replaces the image's,
    which runs as 65532 if it would be root; ``credentialsFile`` is docker's config.json, else
    ``$DOCKER_CONFIG/config.json`` or ``~/.docker/config.json``. ``stopOnExit: false`` leaves
    performers running for the next start. ``init: false`` starts them without the engine's own
    init, which some engines lack.
    """

    host: str = ""
    image_pull_policy: Literal["Always", "Never", "IfNotPresent"] = "IfNotPresent"
    credentials_file: Path | None = None
    user: str = ""
    memory: Size = 0
    cpus: float = Field(default=0.0, ge=0)
    pids: int = Field(default=1024, ge=0)
    read_only_root: bool = False
    init: bool = True
    log_size: Size = 10 << 20
    deploy_timeout: Duration = 300.0
    stop_grace: Duration = 10.0
    stop_on_exit: bool = True
