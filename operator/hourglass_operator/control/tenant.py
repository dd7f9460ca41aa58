"""Whether the caller of PerformerControl may have what it asks for: decided before every write."""

import asyncio
from collections.abc import Iterable

from hourglass_common.domain.access import Authorizer, Caller, Proof
from hourglass_common.domain.errors import Code, FieldViolation, HourglassError
from hourglass_common.domain.tenancy import (
    POLICY_REFUSED,
    TOO_MANY,
    Need,
    Policy,
    needs,
    refusals,
    too_many,
)
from hourglass_common.kube.resources import Manifest
from hourglass_services.rpc.caller import current_caller

from .failures import field_path


class Tenant:
    """Asks ``authorizer``, as the caller, for each right that a change needs.

    Callers on this machine who need not prove who they are (a laptop's) are not asked for rights;
    what nobody may have, they may not have either.
    """

    def __init__(self, authorizer: Authorizer, policy: Policy) -> None:
        self._authorizer = authorizer
        self._policy = policy

    async def check(self, old: Manifest | None, new: Manifest) -> None:
        """Return if the current caller may make ``old``, None if there is none, into ``new``.

        Both are as the caller wants them, before anything is stamped on. PERMISSION_DENIED says
        which right is missing, or what nobody may ask for here.
        """
        long = too_many(old, new)
        if long:
            raise _denied(Code.INVALID_ARGUMENT, TOO_MANY, _told(long))
        refused = refusals(old, new, self._policy)
        if refused:
            raise _denied(Code.PERMISSION_DENIED, POLICY_REFUSED, _told(refused))
        caller = current_caller.get()
        if caller.proof is Proof.LOOPBACK:
            return
        missing = await self._missing(caller, needs(old, new))
        if missing:
            told = [(need.field, need.message) for need in missing]
            raise _denied(Code.PERMISSION_DENIED, missing[0].reason, told)

    async def _missing(self, caller: Caller, needed: tuple[Need, ...]) -> list[Need]:
        wishes = list(dict.fromkeys(need.wish for need in needed))
        verdicts = await asyncio.gather(*(self._authorizer.ask(caller, w) for w in wishes))
        allowed = {w for w, verdict in zip(wishes, verdicts, strict=True) if verdict.allowed}
        return [need for need in needed if need.wish not in allowed]


def _told(found: Iterable[FieldViolation]) -> list[tuple[str, str]]:
    return [(one.field, one.description) for one in found]


def _denied(code: Code, reason: str, found: list[tuple[str, str]]) -> HourglassError:
    field, description = found[0]
    return HourglassError(
        code,
        f"{field}: {description}",
        reason=reason,
        violations=tuple(FieldViolation(field_path(path), words) for path, words in found),
    )
