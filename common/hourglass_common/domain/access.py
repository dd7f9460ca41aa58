"""Who calls, and what is asked to be allowed: the words of Kubernetes' own access control. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from .performer import GROUP

AUTHENTICATED = "system:authenticated"


class Proof(Enum):
    """How a caller showed who it is."""

    TOKEN = "token"  # noqa: S105  a word, not a secret
    CERTIFICATE = "certificate"
    LOOPBACK = "loopback"
    """Not at all: it is on this machine, and that was enough."""
    NONE = "none"
    """Not at all, and others than this machine could have called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user as TokenReview describes one, or as a client certificate names one."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    proof: Proof = Proof.TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """One thing that somebody wants to do, as in SubjectAccessReview; "" means any."""

    verb: str
    resource: str = "performers"
    subresource: str = ""
    group: str = GROUP
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        """As in ``update performers/promote "demo" in namespace "team-a"``."""
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        named = f' "{self.name}"' if self.name else ""
        where = f' in namespace "{self.namespace}"' if self.namespace else ""
        return f"{self.verb} {what}{named}{where}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cluster says of a caller and a wish; ``reason`` in its own words, often empty."""

    allowed: bool
    reason: str = ""


class Authorizer(Protocol):
    """Answers whether a caller may do something; what can not be found out is denied."""

    async def ask(self, caller: Caller, wish: Attributes) -> Verdict: ...
