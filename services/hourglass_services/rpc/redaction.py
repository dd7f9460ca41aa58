"""Texts without the secrets of a request: the Kubernetes API repeats values in its refusals. Pure.

What is too short to be a secret stays, and so does what the same request says in the open.
"""

import json
from collections.abc import Iterable

from hourglass_common.domain.errors import FieldViolation, HourglassError

NOT_SHOWN = "(not shown)"
QUOTED = "said"
"""The key of an error's metadata for words in its message that are not ours: callers are told
them, logs are not."""
_SHORTEST = 6


def redacted(error: HourglassError, secrets: Iterable[str]) -> HourglassError:
    """Return ``error``, or one without any of ``secrets`` where it repeats one."""
    forms = _forms(secrets)
    texts = (error.message, error.hint, *(v.description for v in error.violations))
    if not any(form in text for form in forms for text in (*texts, *error.metadata.values())):
        return error

    def clean(text: str) -> str:
        for form in forms:
            text = text.replace(form, NOT_SHOWN)
        return text

    return HourglassError(
        error.code,
        clean(error.message),
        reason=error.reason,
        hint=clean(error.hint),
        violations=tuple(FieldViolation(v.field, clean(v.description)) for v in error.violations),
        metadata={key: clean(value) for key, value in error.metadata.items()},
        retry_after=error.retry_after,
    )


def unquoted(error: HourglassError) -> str:
    """Return the message for a log: without what somebody else said, which may hold anything."""
    said = error.metadata.get(QUOTED, "")
    return error.message.replace(said, NOT_SHOWN) if said else error.message


def _forms(secrets: Iterable[str]) -> list[str]:
    """Return the ways in which the values are written in texts, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        for form in (
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        ):
            if len(form) >= _SHORTEST:
                found.add(form)
    return sorted(found, key=len, reverse=True)
