"""A deployer starts performers somewhere and reports where their instances listen."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from hourglass_common.domain.endpoint import Endpoint

from .deployment import Deployment


class Listener(Protocol):
    """Is told what changes; its methods are quick and do not raise."""

    def endpoints_changed(self, performer_id: str, endpoints: Sequence[Endpoint]) -> None:
        """``endpoints`` is the full set. Not called for lack of news: an API that can not be
        reached leaves the last set standing."""
        ...

    def handle_changed(self, performer_id: str, handle: str) -> None:
        """``handle`` is what ``adopt`` needs after a restart."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceInfo:
    """What runs for a performer: ``resource`` is a pod's or a process's name."""

    resource: str
    running: bool


class Deployer(Protocol):
    """Used as an async context manager; leaving it does not stop performers."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def deploy(self, deployment: Deployment, handle: str | None = None) -> None:
        """Make it run, and keep it running until ``remove``.

        ``handle`` is None for a new one; else the last one that was stored ("" if none was), and
        what already runs under this performer id is taken over as it is.

        Returns when it was ordered, which is before it is ready. INVALID_ARGUMENT or
        FAILED_PRECONDITION for one that can not run here; UNAVAILABLE where there is no answer;
        NOT_FOUND for one that ran, and that somebody else has taken away since.
        """
        ...

    async def remove(self, performer_id: str) -> None:
        """Stop it and forget it; nothing happens if there is none."""
        ...

    def reason(self, performer_id: str) -> str:
        """Return why it is not ready, in words; "" if nothing is known to be wrong."""
        ...

    def instances(self, performer_id: str) -> tuple[InstanceInfo, ...]:
        """Return what runs for it."""
        ...

    async def stop_all(self) -> None:
        """Called on a graceful stop: stop what should not outlive the executor."""
        ...
