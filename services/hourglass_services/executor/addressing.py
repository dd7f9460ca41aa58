"""Two headers of SubmitTask by which a caller names the instances that may have its task.

``hourglass-role`` is ``staged`` or ``in-service`` (what goes without saying);
``hourglass-instance`` is the name of one instance of that role.
"""

from collections.abc import Iterable
from typing import Any

from hourglass_common.domain.endpoint import Role
from hourglass_common.domain.errors import Code, HourglassError
from hourglass_common.domain.task import Addressee

ROLE_HEADER = "hourglass-role"
INSTANCE_HEADER = "hourglass-instance"
ROLES = {"staged": Role.STAGED, "in-service": Role.IN_SERVICE}
_LONGEST = 253


def addressee_of(metadata: Iterable[Any] | None) -> Addressee | None:
    """Return whom the headers name, None without any; INVALID_ARGUMENT for what they can not be.

    A task for nobody in particular must not result from a header that was not understood.
    """
    role: str | None = None
    instance: str | None = None
    for key, value in metadata or ():
        if key == ROLE_HEADER:
            role = _once(key, role, value)
        elif key == INSTANCE_HEADER:
            instance = _once(key, instance, value)
    if role is None and instance is None:
        return None
    if role is not None and role.lower() not in ROLES:
        raise _refused(f"{ROLE_HEADER}: {role[:64]!r} is none of {', '.join(ROLES)}")
    if instance is not None and not 0 < len(instance) <= _LONGEST:
        raise _refused(f"{INSTANCE_HEADER}: a name has 1 to {_LONGEST} characters")
    return Addressee(ROLES[(role or "in-service").lower()], instance or "")


def headers_for(addressee: Addressee | None) -> tuple[tuple[str, str], ...]:
    """Return the headers that name ``addressee``."""
    if addressee is None:
        return ()
    word = next(word for word, role in ROLES.items() if role is addressee.role)
    named = ((INSTANCE_HEADER, addressee.instance),) if addressee.instance else ()
    return ((ROLE_HEADER, word), *named)


def _once(key: str, before: str | None, value: str | bytes) -> str:
    if before is not None or isinstance(value, bytes):
        raise _refused(f"{key}: give it once, as text")
    return value


def _refused(text: str) -> HourglassError:
    return HourglassError(
        Code.INVALID_ARGUMENT,
        text,
        reason="BAD_ADDRESSEE",
        hint="the task was not run; leave the header out for any instance in service",
    )
