"""What the conformance suite needs of a mode beside the executor itself: hands and eyes.

An executor is always a process of its own, and the suite speaks to it by gRPC alone; a ``World``
kills, removes and looks at what runs behind its back.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Untouched = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An image by its digest, as DeployArtifact names one."""

    registry: str
    digest: str

    @property
    def image(self) -> dict[str, str]:
        """As ``avsPerformers`` names one."""
        return {"repository": self.registry, "digest": self.digest}


class World(Protocol):
    """One mode on this machine."""

    mode: str
    """As ``deploymentMode`` spells it."""
    said: str
    """The message of a deployment that went well."""
    prefix: str
    """How its deployment id begins."""
    artifacts: tuple[Artifact, Artifact]
    """Two, of the same demo performer."""
    missing: Artifact
    """One that is nowhere."""

    def section(self, *, deploy_timeout: str, stop_on_exit: bool) -> dict[str, Any]:
        """Return the parts of the configuration that are about this mode."""
        ...

    async def kill(self, resource: str) -> None:
        """Kill one running instance with SIGKILL; ``resource`` as ListPerformers names it."""
        ...

    async def life(self, resource: str) -> object:
        """Return what differs once the instance was started again; None if it is gone."""
        ...

    async def environment(self, resource: str) -> Mapping[str, str]:
        """Return the environment of a running instance."""
        ...

    async def left(self, avs: str) -> list[str]:
        """Return what is there for an AVS, whether or not it runs."""
        ...

    async def take_away(self, avs: str) -> None:
        """Remove by hand what is there for an AVS."""
        ...

    def foreign(self, avs: str) -> AbstractAsyncContextManager[Untouched]:
        """Keep something that looks like a performer of ours and is not; tells if it still is."""
        ...


def of_avs(environment: Mapping[str, str], avs: str) -> bool:
    return environment.get("AVS_ADDRESS") == avs
