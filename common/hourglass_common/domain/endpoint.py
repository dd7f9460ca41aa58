"""An endpoint: the address of one running instance of a performer, and its part in a rollout."""

from dataclasses import dataclass
from enum import Enum


class Role(Enum):
    """The part a revision plays, as status and PerformerControl show it."""

    STAGED = "Staged"
    IN_SERVICE = "InService"
    DRAINING = "Draining"
    RETIRED = "Retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One instance as its deployer reports it.

    ``performer_id`` names the deployment, ``instance`` the pod, container or process;
    ``address`` is ``host:port``; ``ready`` is the deployer's word (Kubernetes readiness, the
    process runs), not the health that the executor asks for itself.
    """

    performer_id: str
    revision: str
    instance: str
    address: str
    role: Role = Role.IN_SERVICE
    ready: bool = True
