"""Who the call being served is for."""

from contextvars import ContextVar

from hourglass_common.domain.access import Caller, Proof

UNPROVEN = Caller(name="local", proof=Proof.LOOPBACK)
"""A caller on this machine, where that is enough."""

current_caller: ContextVar[Caller] = ContextVar("current_caller", default=UNPROVEN)
"""Set by the server once it knows; the default holds outside of a call."""
