"""What callers of PerformerControl are told of Kubernetes' refusals."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hourglass_common.domain.errors import Code, FieldViolation, HourglassError
from hourglass_common.kube.errors import KubeError, KubeUnavailableError
from hourglass_common.kube.resources import GROUP

RETRY_SECONDS = 1.0
_NO_FIELD = "<nil>"
"""Where the API says that more may be wrong than it has looked for."""
_CAMEL_CASE = re.compile(r"[a-z][A-Za-z0-9]*")


@contextmanager
def told(namespace: str, name: str) -> Iterator[None]:
    """Raise what the API said about this performer in the words of PerformerControl."""
    try:
        yield
    except KubeUnavailableError as error:
        raise HourglassError(
            Code.UNAVAILABLE,
            error.message,
            reason=error.reason,
            hint="the call may have had its effect: read the performer, or repeat the call",
            retry_after=RETRY_SECONDS,
        ) from error
    except KubeError as error:
        raise _translated(error, namespace, name) from error


def not_found(namespace: str, name: str) -> HourglassError:
    return _about(
        Code.NOT_FOUND,
        f"no performer {name!r} in namespace {namespace!r}",
        (namespace, name),
        reason="PERFORMER_NOT_FOUND",
        hint="ListPerformers shows what is there",
    )


def changed_since(namespace: str, name: str, how: str) -> HourglassError:
    return _about(
        Code.ABORTED,
        f"the performer {name!r} was changed since: {how}",
        (namespace, name),
        reason="PERFORMER_CHANGED",
        hint="read it again and decide anew",
    )


def another_object(namespace: str, name: str, code: Code) -> HourglassError:
    return _about(
        code,
        f"the performer {name!r} in namespace {namespace!r} has another uid: it was made anew",
        (namespace, name),
        reason="PERFORMER_REPLACED",
        hint="read it again and decide anew",
    )


def _translated(error: KubeError, namespace: str, name: str) -> HourglassError:
    key = (namespace, name)
    match error.code:
        case Code.ALREADY_EXISTS:
            return _about(
                Code.ALREADY_EXISTS,
                f"a performer {name!r} is in namespace {namespace!r} already",
                key,
                reason="PERFORMER_EXISTS",
                hint="choose another name, or delete that one first",
            )
        case Code.NOT_FOUND if f'performers.{GROUP} "{name}"' in error.message:
            return not_found(namespace, name)
        case Code.ABORTED:
            return changed_since(namespace, name, error.message)
        case _:
            unavailable = error.code is Code.UNAVAILABLE
            return HourglassError(
                error.code,
                error.message,
                reason=re.sub(r"(?<=[a-z])(?=[A-Z])", "_", error.reason).upper(),
                violations=tuple(
                    FieldViolation(field_path(v.field), v.description)
                    for v in error.violations
                    if v.field != _NO_FIELD
                ),
                retry_after=error.retry_after or (RETRY_SECONDS if unavailable else None),
            )


def _about(
    code: Code, message: str, key: tuple[str, str], *, reason: str, hint: str
) -> HourglassError:
    about = {"resourceType": f"{GROUP}/Performer", "resourceName": "/".join(key)}
    return HourglassError(code, message, reason=reason, hint=hint, metadata=about)


def field_path(path: str) -> str:
    """Return the request's name for a manifest's field: ``spec.avsAddress`` is spec.avs_address.

    Keys of maps stay as they are: in brackets, or no name that a field could have.
    """
    path = path.removeprefix(".").removeprefix("metadata.")
    parts = re.split(r"(\[[^\]]*\]|\.)", path)
    return "".join(
        re.sub(r"(?<=[a-z])([A-Z])", r"_\1", part).lower() if _CAMEL_CASE.fullmatch(part) else part
        for part in parts
    )
