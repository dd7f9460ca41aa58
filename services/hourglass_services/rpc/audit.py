"""The audit record: who did or was denied what. Written before the effect, at any log level."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hourglass_common.domain.access import Attributes, Caller
from hourglass_common.runtime.logs import get_logger

from .request_id import request_id

LOGGER = "audit"
logging.getLogger(LOGGER).setLevel(logging.INFO)  # whatever the level of the others
_log = get_logger(LOGGER)


def allowed(
    method: str, peer: str, caller: Caller, wishes: Sequence[Attributes], changes: Mapping[str, Any]
) -> None:
    """Record a change that is about to be made."""
    _log.info(
        "allowed", **_call(method, peer), **_who(caller), **_what(wishes), changes=dict(changes)
    )


def denied(
    method: str,
    peer: str,
    caller: Caller | None,
    wishes: Sequence[Attributes],
    reason: str,
) -> None:
    """Record a call that is refused; ``caller`` is None where it is not known who calls."""
    who = _who(caller) if caller else {"who": "", "proof": ""}
    _log.info("denied", **_call(method, peer), **who, **_what(wishes), reason=reason)


def _call(method: str, peer: str) -> dict[str, str]:
    return {"method": method, "request_id": request_id.get(), "peer": peer}


def _who(caller: Caller) -> dict[str, Any]:
    return {
        "who": caller.name,
        "uid": caller.uid,
        "groups": list(caller.groups),
        "proof": caller.proof.value,
    }


def _what(wishes: Sequence[Attributes]) -> dict[str, Any]:
    if not wishes:
        return {}
    first = wishes[0]
    return {
        "namespace": first.namespace,
        "name": first.name,
        "rights": [str(wish) for wish in wishes],
    }
